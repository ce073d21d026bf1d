/** The way of a packet: who is held up, who is banned, and that it happens in batches. */
import assert from "node:assert/strict";
import type { Frame } from "../../src/capture/frame.ts";
import type { Probe } from "../../src/decode/probe.ts";
import type { Decision } from "../../src/detect/decision.ts";
import { formatAddress } from "../../src/net/address.ts";
import { Pipeline } from "../../src/pipeline.ts";
import { address } from "../lab/addresses.ts";

const FRAME: Frame = { time: 0, bytes: new Uint8Array(), wireLength: 0, outgoing: false };

function decision(
  source: string,
  verdict: "below-trigger" | "block",
  { port = 11, probes = 1 }: { port?: number; probes?: number } = {},
): Decision {
  const probe: Probe = {
    time: 0,
    source: address(source),
    dest: address("192.0.2.2"),
    protocol: "tcp",
    port,
    sourcePort: 40000,
    scan: "syn",
    flags: 2,
    hasOptions: false,
  };
  const reason = verdict === "block" ? "distinct-ports" : "below-trigger";
  return { verdict, reason, probe, ports: probes, probes };
}

/** What a batch of decisions led to, in order. `confirm`: the last look before a ban. */
function done(
  decisions: readonly Decision[],
  confirm: (decision: Decision) => Decision | undefined = (decision) => decision,
): readonly string[] {
  const acts: string[] = [];
  const waiting = [...decisions];
  const pipeline = new Pipeline({
    detector: {
      inspect: () => waiting.shift() ?? { verdict: "not-evidence", reason: "outgoing", probe: undefined },
      inspectContact: () => ({ verdict: "not-evidence", reason: "outgoing", probe: undefined }),
    },
    quarantine: (suspects) => {
      for (const { probe, isNew } of suspects) {
        acts.push(`hold ${formatAddress(probe.source)}${isNew ? "" : " again"}`);
      }
    },
    confirm: (decision) => {
      acts.push("look");
      return confirm(decision);
    },
    bans: {
      make: (some) => {
        for (const { probe } of some) acts.push(`ban ${formatAddress(probe.source)}`);
        return Promise.resolve();
      },
    },
    recorder: {
      record: (events) => {
        for (const { decision } of events) acts.push(`tell ${decision.verdict}`);
        return { isWritten: true };
      },
    },
  });
  for (const _ of decisions) pipeline.frame(FRAME);
  assert.deepEqual(acts, [], "nothing is done before the batch ends");
  pipeline.flush();
  return acts;
}

Deno.test("Pipeline holds up a source once for all its probes of a batch", () => {
  const [first, second] = [1, 2].map((probes) =>
    decision("198.51.100.1", "below-trigger", { port: 10 + probes, probes })
  );
  const other = decision("198.51.100.2", "below-trigger", { probes: 2 });
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(done([first, second, other]), [
    "hold 198.51.100.1",
    "hold 198.51.100.2 again",
    ...new Array(3).fill("tell below-trigger"),
  ]);
});

Deno.test("Pipeline holds up a source that is new before it asks whether to ban it", () => {
  const acts = ["hold 198.51.100.1", "look", "ban 198.51.100.1"];
  assert.deepEqual(done([decision("198.51.100.1", "block")]), [...acts, "tell block"]);
  const three = [
    decision("198.51.100.1", "below-trigger"),
    decision("198.51.100.1", "block", { port: 15, probes: 2 }),
  ];
  assert.deepEqual(done(three), [...acts, "tell below-trigger", "tell block"]);
});

Deno.test("Pipeline does not hold up a source that an earlier batch has held, when it bans it", () => {
  const batch = [
    decision("198.51.100.1", "below-trigger", { probes: 2 }),
    decision("198.51.100.1", "block", { port: 15, probes: 3 }),
  ];
  assert.deepEqual(done(batch), ["look", "ban 198.51.100.1", "tell below-trigger", "tell block"]);
});

Deno.test("Pipeline holds up nobody for asking again for a port", () => {
  const second = decision("198.51.100.1", "below-trigger", { probes: 2 });
  assert.deepEqual(done([second]), ["hold 198.51.100.1 again", "tell below-trigger"]);
  assert.deepEqual(done([{ ...second, reason: "repeated-port" }]), ["tell below-trigger"]);
});

Deno.test("Pipeline bans nobody whom the last look clears", () => {
  const block = decision("198.51.100.1", "block", { probes: 3 });
  assert.deepEqual(done([block], () => undefined), ["look"]);
  assert.deepEqual(done([block], (it) => ({ ...it, verdict: "protected", reason: "session" })), [
    "look",
    "tell protected",
  ]);
});
