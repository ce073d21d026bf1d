import assert from "node:assert/strict";
import type { Probe } from "../../../src/decode/probe.ts";
import { ServedCache } from "../../../src/host/served_cache.ts";
import { ipv4Address } from "../../../src/net/address.ts";
import type { IncomingPacket } from "../../../src/net/listener.ts";

function probe(fields: Partial<Probe> = {}): Probe {
  return {
    time: 1,
    source: ipv4Address(0x0a000002),
    dest: ipv4Address(0x0a000001),
    protocol: "tcp",
    port: 81,
    sourcePort: 40000,
    scan: "ack",
    flags: 16,
    hasOptions: false,
    ...fields,
  };
}

interface Told {
  readonly cache: ServedCache;
  readonly translated: IncomingPacket[];
  asked: number;
  nowMs: number;
}

function cacheWith(answers: { readonly owns: boolean; readonly translates: boolean }): Told {
  const told: Told = {
    translated: [],
    asked: 0,
    nowMs: 0,
    cache: new ServedCache({
      sockets: {
        owns: () => {
          told.asked++;
          return answers.owns;
        },
      },
      conntrack: { translated: () => answers.translates },
      monotonicMs: () => told.nowMs,
      onTranslated: (packet) => told.translated.push(packet),
    }),
  };
  return told;
}

const CASES = [
  { what: "a port that a socket owns", owns: true, translates: false, served: true, told: 0 },
  // Who owns the port is asked first: such a port stays a service of this host.
  {
    what: "a port that a socket owns and a rule translates",
    owns: true,
    translates: true,
    served: true,
    told: 0,
  },
  { what: "a port that a rule translates", owns: false, translates: true, served: true, told: 1 },
  { what: "a port that nobody has", owns: false, translates: false, served: false, told: 0 },
] as const;

for (const { what, served, told, ...answers } of CASES) {
  Deno.test(`ServedCache says ${served} for ${what}, and tells of translation ${told} times`, () => {
    const { cache, translated } = cacheWith(answers);
    assert.equal(cache.isServed(probe()), served);
    assert.deepEqual(
      translated.map(({ protocol, port }) => [protocol, port]),
      told === 0 ? [] : [["tcp", 81]],
    );
  });
}

Deno.test("ServedCache asks nobody about ICMP", () => {
  const told = cacheWith({ owns: true, translates: true });
  assert.equal(told.cache.isServed(probe({ protocol: "icmp", scan: "icmp", port: 8 })), false);
  assert.deepEqual([told.asked, told.translated], [0, []]);
});

Deno.test("ServedCache believes for 50 ms that nobody owns a port, of SYN packets only", () => {
  const told = cacheWith({ owns: false, translates: false });
  for (const nowMs of [0, 50]) {
    told.nowMs = nowMs;
    told.cache.isServed(probe({ scan: "syn" }));
  }
  assert.equal(told.asked, 1);
  told.nowMs = 51;
  told.cache.isServed(probe({ scan: "syn" }));
  assert.equal(told.asked, 2);
  for (let i = 0; i < 3; i++) told.cache.isServed(probe());
  assert.equal(told.asked, 5);
});
