import fc from "fast-check";
import assert from "node:assert/strict";
import { type ScanType } from "../../../src/decode/probe.ts";
import { SourceTable, wholeSeconds } from "../../../src/detect/source_table.ts";
import { type Address, addressKey, addressOf, ipv4Address } from "../../../src/net/address.ts";
import type { Protocol } from "../../../src/net/protocol.ts";

const SCANNER = ipv4Address(0xc0000201);
const START = 1_800_000_000;

interface Asked {
  readonly source?: Address;
  readonly protocol?: Protocol;
  readonly scan?: ScanType;
  readonly time?: number;
}

function table(options: { maxSources?: number; trigger?: number; windowSeconds?: number } = {}): SourceTable {
  return new SourceTable({ maxSources: 1024, trigger: 3, windowSeconds: 600, key: [1, 2], ...options });
}

function ask(to: SourceTable, port: number, asked: Asked = {}): string {
  const probe = { source: SCANNER, protocol: "tcp", scan: "syn", time: START, ...asked, port } as const;
  const { ports, probes, clear } = to.record(probe);
  return `${ports}/${probes}${clear ? "" : " unclear"}`;
}

Deno.test("SourceTable counts distinct ports and probes apart (F11)", () => {
  const sources = table();
  assert.deepEqual([21, 21, 22, 21].map((port) => ask(sources, port)), ["1/1", "1/2", "2/3", "2/4"]);
});

Deno.test("SourceTable takes the same number of two protocols for two ports", () => {
  const sources = table();
  assert.equal(ask(sources, 53), "1/1");
  assert.equal(ask(sources, 53, { protocol: "udp", scan: "udp" }), "2/2");
});

Deno.test("SourceTable keeps sources apart, IPv4 and IPv6 (F11: not one ring for all)", () => {
  const sources = table();
  const six = addressOf([0x20010db8, 0, 0, 1]);
  const almostMapped = addressOf([0, 0, 0xfffe, 0xc0000201]);
  for (const source of [SCANNER, six, almostMapped, ipv4Address(0xc0000202)]) {
    assert.equal(ask(sources, 1, { source }), "1/1");
  }
  assert.equal(ask(sources, 2, { source: six }), "2/2");
});

Deno.test("SourceTable counts the sources within the window that it lists, and nobody who was forgotten", () => {
  const sources = table();
  for (let i = 0; i < 5; i++) ask(sources, 21, { source: ipv4Address(i + 1), time: START + 200 * i });
  sources.forget(ipv4Address(5));
  for (const [later, expected] of [[0, 4], [600, 4], [601, 3], [1200, 1], [1201, 0]] as const) {
    assert.equal(sources.count(START + later), expected, `${later} s later`);
    assert.equal([...sources.sources(START + later)].length, expected);
  }
});

const WINDOW: readonly (readonly [name: string, later: number, expected: string])[] = [
  ["at once", 0, "2/2"],
  ["within the window", 599, "2/2"],
  ["at its very end", 600, "2/2"],
  ["behind it", 601, "1/1"],
  ["a year later", 31_536_000, "1/1"],
  ["a little earlier (packets out of order)", -5, "2/2"],
  ["before the window (the clock was set back)", -601, "1/1"],
];

for (const [name, later, expected] of WINDOW) {
  Deno.test(`SourceTable counts a second port ${name} as ${expected} (F11)`, () => {
    const sources = table();
    ask(sources, 21);
    assert.equal(ask(sources, 22, { time: START + later }), expected);
  });
}

Deno.test("SourceTable slides its window over each port by itself", () => {
  const sources = table();
  ask(sources, 21);
  ask(sources, 22, { time: START + 400 });
  assert.equal(ask(sources, 23, { time: START + 800 }), "2/2");
  assert.equal(ask(sources, 21, { time: START + 1001 }), "2/2");
});

Deno.test("SourceTable never makes a port older for a packet that came late", () => {
  const sources = table();
  ask(sources, 21, { time: START + 500 });
  ask(sources, 21, { time: START });
  assert.equal(ask(sources, 22, { time: START + 1000 }), "2/2");
});

Deno.test("SourceTable calls ACK-type packets alone unclear, and one clear probe enough", () => {
  const sources = table();
  assert.equal(ask(sources, 21, { scan: "ack" }), "1/1 unclear");
  assert.equal(ask(sources, 22, { scan: "maimon" }), "2/2 unclear");
  assert.equal(ask(sources, 22, { scan: "syn" }), "2/3");
  assert.equal(ask(sources, 22, { scan: "ack" }), "2/4");
  assert.equal(ask(sources, 23, { scan: "ack", time: START + 700 }), "1/1 unclear");
});

Deno.test("SourceTable stops counting at its slots, which are never below the trigger", () => {
  for (const [trigger, most] of [[3, 16], [16, 16], [64, 64]] as const) {
    const sources = table({ trigger });
    let last = "";
    for (let port = 1; port <= 1000; port++) last = ask(sources, port);
    assert.equal(last, `${most}/${most}`);
    assert.equal(sources.evidence(SCANNER, START).length, most);
  }
});

Deno.test("SourceTable replaces the port seen longest ago when its slots are full", () => {
  const sources = table();
  for (let port = 1; port <= 17; port++) ask(sources, port, { time: START + port });
  const ports = sources.evidence(SCANNER, START + 17).map(({ port }) => port).sort((a, b) => a - b);
  assert.deepEqual(ports, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
});

Deno.test("SourceTable tells the evidence, and no other source's", () => {
  const sources = table();
  ask(sources, 65535, { scan: "fin" });
  ask(sources, 53, { protocol: "udp", scan: "udp", time: START + 1 });
  ask(sources, 99, { source: ipv4Address(7) });
  assert.deepEqual(sources.evidence(SCANNER, START + 1), [
    { protocol: "tcp", port: 65535, scan: "fin", lastSeen: START },
    { protocol: "udp", port: 53, scan: "udp", lastSeen: START + 1 },
  ]);
  assert.deepEqual(sources.evidence(SCANNER, START + 601).map(({ port }) => port), [53]);
  assert.deepEqual(sources.evidence(ipv4Address(8), START), []);
});

Deno.test("SourceTable keeps the evidence of a settled source until its next probe, which starts afresh (F8)", () => {
  const sources = table();
  ask(sources, 1);
  ask(sources, 2);
  assert.equal(sources.settledAt(SCANNER), 0);
  sources.settle(SCANNER, START + 1.7);
  assert.equal(sources.settledAt(SCANNER), START + 1);
  assert.equal(sources.evidence(SCANNER, START).length, 2);
  assert.equal(ask(sources, 3), "1/1");
  assert.equal(sources.settledAt(SCANNER), 0);
});

Deno.test("SourceTable forgets a source on request", () => {
  const sources = table();
  ask(sources, 1);
  sources.forget(SCANNER);
  sources.forget(ipv4Address(9));
  assert.equal(ask(sources, 2), "1/1");
});

Deno.test("SourceTable keeps a scanner while forged sources flood it", () => {
  const sources = table({ maxSources: 1024 });
  ask(sources, 1);
  ask(sources, 2);
  for (let i = 0; i < 200_000; i++) {
    ask(sources, 80, { source: ipv4Address(i * 2654435761), time: START + 1 });
  }
  assert.equal(ask(sources, 3, { time: START + 2 }), "3/3");
});

/** A source in a set of four: how many ports it asked for, how long ago the last time, whether it was dealt with then. */
type Resident = readonly [ports: number, age: number, settled?: "settled"];
const PLACES: readonly (readonly [
  name: string,
  set: readonly [Resident, Resident, Resident, Resident],
  gone: readonly number[],
])[] = [
  ["the only one with one port, though it is the newest", [[2, 9], [2, 8], [1, 0], [2, 7]], [2]],
  ["the oldest of those with one port", [[1, 3], [1, 4], [2, 600], [1, 2]], [1]],
  ["the oldest of those with the fewest ports, be it two", [[3, 500], [2, 1], [2, 2], [3, 9]], [2]],
  ["one whose window is over, whatever it had", [[16, 601], [1, 600], [1, 599], [1, 9]], [0]],
  ["one whose ban is made", [[1, 9], [3, 3, "settled"], [1, 8], [1, 7]], [1]],
  ["nobody whose ban may still be on its way", [[1, 9], [3, 2, "settled"], [1, 8], [1, 7]], [0]],
  ["anybody among equals", [[1, 1], [1, 1], [1, 1], [1, 1]], [0, 1, 2, 3]],
];

for (const [name, set, gone] of PLACES) {
  Deno.test(`SourceTable has a newcomer displace ${name}`, () => {
    const sources = table({ maxSources: 4 });
    for (const [place, [ports, age, settled]] of set.entries()) {
      const [source, time] = [ipv4Address(place), START - age];
      for (let port = 1; port <= ports; port++) ask(sources, port, { source, time });
      if (settled !== undefined) sources.settle(source, time);
    }
    ask(sources, 1);
    const displaced = set.flatMap(([, age], place) =>
      sources.evidence(ipv4Address(place), START - age).length === 0 ? [place] : []
    );
    assert.equal(displaced.length, 1);
    assert.ok(gone.includes(displaced[0] ?? -1), `${displaced} instead of ${gone}`);
  });
}

Deno.test("SourceTable has no newcomer give way to the very next one", () => {
  const sources = table({ maxSources: 4 });
  for (let number = 0; number < 100; number++) {
    ask(sources, 1, { source: ipv4Address(number) });
    const before = sources.evidence(ipv4Address(number - 1), START);
    assert.equal(before.length, number === 0 ? 0 : 1, `newcomer ${number - 1}`);
  }
});

Deno.test("SourceTable never has one with more ports give way to one with fewer, for any sources in any order", () => {
  const probe = fc.record({
    source: fc.nat(9),
    port: fc.integer({ min: 1, max: 5 }),
    step: fc.constantFrom(0, 0, 0, 1, 300),
  });
  fc.assert(fc.property(fc.array(probe, { maxLength: 80 }), (probes) => {
    const sources = table({ maxSources: 4, windowSeconds: 1_000_000 });
    let time = START;
    for (const { source, port, step } of probes) {
      time += step;
      const before = [...sources.sources(time)];
      ask(sources, port, { source: ipv4Address(source), time });
      const after = new Set([...sources.sources(time)].map((one) => addressKey(one.source)));
      const gone = before.filter((one) => !after.has(addressKey(one.source)));
      assert.ok(after.size <= 4);
      assert.ok(gone.length <= (before.length < 4 ? 0 : 1), "nobody goes while there is room, and never two");
      for (const { ports, lastSeen } of gone) {
        const worse = before.filter((one) =>
          one.ports < ports || (one.ports === ports && one.lastSeen < lastSeen)
        );
        assert.deepEqual(worse, [], "somebody had less to lose");
      }
    }
  }));
});

Deno.test("SourceTable forgets those who are banned before those who are about to be", () => {
  const sources = table({ maxSources: 4 });
  const crowd = (first: number): readonly Address[] =>
    [0, 1, 2, 3].map((number) => ipv4Address(0x0a000000 + first + number));
  for (const source of crowd(0)) {
    for (const port of [21, 22, 23]) ask(sources, port, { source });
    sources.settle(source, START);
  }
  // So long after the block, no ban is still on its way.
  const time = START + 3;
  for (const source of crowd(4)) assert.equal(ask(sources, 21, { source, time }), "1/1");
  for (const source of crowd(4)) assert.equal(ask(sources, 22, { source, time }), "2/2");
});

Deno.test("SourceTable gives way to the living when all that it holds is dead", () => {
  const sources = table({ maxSources: 4 });
  for (let i = 0; i < 4; i++) for (const port of [1, 2, 3]) ask(sources, port, { source: ipv4Address(i) });
  ask(sources, 1, { time: START + 700 });
  assert.equal(ask(sources, 2, { time: START + 700 }), "2/2");
});

Deno.test("SourceTable agrees with a simple model for any probes of a few sources in order", () => {
  const probe = fc.record({
    source: fc.nat(2),
    port: fc.nat(5),
    ack: fc.boolean(),
    step: fc.constantFrom(0, 0, 1, 100, 300, 601),
  });
  fc.assert(fc.property(fc.array(probe, { maxLength: 60 }), (probes) => {
    const sources = table({ trigger: 64 });
    const seen: { source: number; port: number; time: number; ack: boolean }[] = [];
    let time = START;
    for (const { source, port, ack, step } of probes) {
      time += step;
      seen.push({ source, port, time, ack });
      const tally = ask(sources, port, { source: ipv4Address(source), time, scan: ack ? "ack" : "syn" });
      const alive = seen.filter((one) => one.source === source && Math.abs(time - one.time) <= 600);
      const ports = new Set(alive.map((one) => one.port)).size;
      // Only counts are compared: which of two alive scan types of a port is kept depends on their order.
      assert.ok(tally.startsWith(`${ports}/${alive.length}`), `${tally} is not ${ports}/${alive.length}`);
    }
  }));
});

Deno.test("wholeSeconds holds any time that a capture can claim", () => {
  const rows = [[0, 1], [-5, 1], [NaN, 1], [0.5, 1], [1.9, 1], [2, 2], [2 ** 40, 0xffffffff], [
    Infinity,
    0xffffffff,
  ]];
  for (const [time, expected] of rows) assert.equal(wholeSeconds(time ?? 0), expected);
});

Deno.test("SourceTable treats any address and time alike", () => {
  const word = fc.nat(0xffffffff);
  fc.assert(fc.property(fc.tuple(word, word, word, word), fc.double(), ([w0, w1, w2, w3], time) => {
    const sources = table();
    const source = addressOf([w0, w1, w2, w3]);
    assert.equal(ask(sources, 1, { source, time }), "1/1", addressKey(source));
    assert.equal(ask(sources, 2, { source, time }), "2/2", addressKey(source));
  }));
});
