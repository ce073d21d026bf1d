import assert from "node:assert/strict";
import { type Address, formatAddress, parseAddress } from "../../../src/net/address.ts";
import type { ProbeEvent, ScanEvent } from "../../../src/record/event.ts";
import { NamedRecorder } from "../../../src/record/named_recorder.ts";

function probe(source: string, port: number): ProbeEvent {
  const address = parseAddress(source) ?? assert.fail(source);
  return {
    type: "probe",
    time: 0,
    decision: {
      verdict: "observe",
      reason: "observe-only",
      ports: 1,
      probes: 1,
      probe: {
        time: 0,
        source: address,
        dest: address,
        protocol: "tcp",
        port,
        sourcePort: 40000,
        scan: "syn",
        flags: 2,
        hasOptions: false,
      },
    },
  };
}

/** A recorder whose names are given by hand. */
function scene(): {
  readonly named: NamedRecorder;
  /** What was written down: name, address and port. */
  readonly told: string[];
  readonly answer: (source: string, name: string | undefined) => Promise<void>;
} {
  const told: string[] = [];
  const questions = new Map<string, PromiseWithResolvers<string | undefined>>();
  const question = (source: string): PromiseWithResolvers<string | undefined> => {
    const asked = questions.get(source) ?? Promise.withResolvers<string | undefined>();
    questions.set(source, asked);
    return asked;
  };
  const named = new NamedRecorder({
    recorder: {
      record: (events: readonly ScanEvent[]) => {
        for (const event of events) {
          if (event.type !== "probe") continue;
          const { source, port } = event.decision.probe;
          told.push(`${event.hostname ?? "-"}/${formatAddress(source)} ${port}`);
        }
        return { isWritten: true };
      },
    },
    nameOf: (source: Address) => question(formatAddress(source)).promise,
  });
  const answer = async (source: string, name: string | undefined): Promise<void> => {
    question(source).resolve(name);
    await Promise.resolve();
  };
  return { named, told, answer };
}

Deno.test("C7: NamedRecorder tells of every probe with the name of its source, the first one too", async () => {
  const { named, told, answer } = scene();
  named.record([probe("192.0.2.1", 1), probe("192.0.2.2", 2), probe("192.0.2.1", 3)]);
  named.record([probe("192.0.2.1", 4)]);
  assert.deepEqual(told, []);
  await answer("192.0.2.1", "one.example");
  assert.deepEqual(
    told,
    [1, 3, 4].map((port) => `one.example/192.0.2.1 ${port}`),
    "nobody waits for another",
  );
  await answer("192.0.2.2", undefined);
  assert.equal(told.at(-1), "-/192.0.2.2 2");
});

Deno.test("NamedRecorder tells of what waits when it ends, once", async () => {
  const { named, told, answer } = scene();
  named.record([probe("192.0.2.1", 1)]);
  named[Symbol.dispose]();
  assert.deepEqual(told, ["-/192.0.2.1 1"]);
  await answer("192.0.2.1", "one.example");
  assert.equal(told.length, 1);
});

Deno.test("NamedRecorder keeps 1,024 probes waiting in a flood, and tells of the others without names", async () => {
  const { named, told, answer } = scene();
  named.record(Array.from({ length: 1500 }, (_, port) => probe("192.0.2.1", port)));
  assert.equal(told.length, 476);
  named.record([probe("192.0.2.1", 9999)]);
  assert.equal(told.at(-1), "-/192.0.2.1 9999");
  await answer("192.0.2.1", "one.example");
  assert.equal(told.length, 1501);
  named.record([probe("192.0.2.1", 10000)]);
  await answer("192.0.2.1", "one.example");
  assert.equal(told.at(-1), "one.example/192.0.2.1 10000", "room again");
});
