/** The way of a packet: who is held up, who is banned, and that it happens in batches. */
import assert from "node:assert/strict";
import type { Frame } from "../../src/capture/frame.ts";
import type { Probe } from "../../src/decode/probe.ts";
import type { Decision } from "../../src/detect/decision.ts";
import { type Address, formatAddress, parseAddress } from "../../src/net/address.ts";
import { Pipeline } from "../../src/pipeline.ts";

const FRAME: Frame = { time: 0, bytes: new Uint8Array(), wireLength: 0, outgoing: false };

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

function decision(source: string, verdict: "below-trigger" | "block", port: number): Decision {
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
  return { verdict, reason, probe, ports: 1, probes: 1 };
}

/** What a batch of decisions led to. */
function outcomeOf(decisions: readonly Decision[]): { held: readonly string[]; banned: readonly string[] } {
  const held: string[] = [];
  const banned: string[] = [];
  const waiting = [...decisions];
  const names = (some: readonly Decision[]): string[] => some.map(({ probe }) => formatAddress(probe.source));
  const pipeline = new Pipeline({
    detector: {
      inspect: () => waiting.shift() ?? { verdict: "not-evidence", reason: "outgoing", probe: undefined },
      inspectContact: () => ({ verdict: "not-evidence", reason: "outgoing", probe: undefined }),
    },
    confirm: (confirmed) => confirmed,
    quarantine: (some) => void held.push(...names(some)),
    bans: {
      make: (some) => {
        banned.push(...names(some));
        return Promise.resolve();
      },
    },
    recorder: { record: () => ({ isWritten: true }) },
  });
  for (const _ of decisions) pipeline.frame(FRAME);
  assert.deepEqual({ held, banned }, { held: [], banned: [] }, "nothing is done before the batch ends");
  pipeline.flush();
  return { held, banned };
}

Deno.test("Pipeline holds up a source once for all its probes of a batch", () => {
  const twice = [11, 15].map((port) => decision("198.51.100.1", "below-trigger", port));
  const other = decision("198.51.100.2", "below-trigger", 11);
  assert.deepEqual(outcomeOf([...twice, other]), { held: ["198.51.100.1", "198.51.100.2"], banned: [] });
});

Deno.test("Pipeline does not hold up whom it bans in the same batch", () => {
  const batch = [decision("198.51.100.1", "below-trigger", 11), decision("198.51.100.1", "block", 15)];
  assert.deepEqual(outcomeOf(batch), { held: [], banned: ["198.51.100.1"] });
});
