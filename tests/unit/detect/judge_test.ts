import assert from "node:assert/strict";
import { type Config, defaultConfig, type DetectConfig, type Response } from "../../../src/config/schema.ts";
import type { Probe, ScanType } from "../../../src/decode/probe.ts";
import type { ProtectedReason } from "../../../src/detect/decision.ts";
import { Judge, type JudgeFacts } from "../../../src/detect/judge.ts";
import { type Address, addressKey, ipv4Address } from "../../../src/net/address.ts";
import type { Protocol } from "../../../src/net/protocol.ts";
import { address } from "../../lab/addresses.ts";

const START = 1_800_000_000;

const SCANNER = address("10.77.0.1");

/** A host whose facts a test can change. */
class Host implements JudgeFacts {
  readonly ignored = new Set<string>();
  readonly protected = new Map<string, ProtectedReason>();
  readonly blocked = new Set<string>();
  isIgnored(source: Address): boolean {
    return this.ignored.has(addressKey(source));
  }
  protectedReason(source: Address): ProtectedReason | undefined {
    return this.protected.get(addressKey(source));
  }
  isBlocked(source: Address): boolean {
    return this.blocked.has(addressKey(source));
  }
}

interface Rules extends Partial<DetectConfig> {
  readonly tcp?: Response;
  readonly udp?: Response;
}

function judgeWith(rules: Rules = {}, host: Host = new Host()): Judge {
  const { tcp = "block", udp = "block", ...detect } = rules;
  const base = defaultConfig();
  const config: Config = {
    ...base,
    tcp: { ...base.tcp, response: tcp },
    udp: { ...base.udp, response: udp },
    detect: { ...base.detect, max_sources: 1024, ...detect },
  };
  return new Judge({ config, facts: host, key: [1, 2] });
}

interface Asked {
  readonly source?: Address;
  readonly protocol?: Protocol;
  readonly scan?: ScanType;
  readonly time?: number;
}

function probe(port: number, asked: Asked = {}): Probe {
  const base = { time: START, source: SCANNER, dest: ipv4Address(1), protocol: "tcp", scan: "syn" } as const;
  return { ...base, sourcePort: 40000, flags: 2, hasOptions: false, ...asked, port };
}

function verdict(judge: Judge, port: number, asked: Asked = {}): string {
  const { verdict, reason, ports, probes } = judge.judge(probe(port, asked));
  return `${verdict}: ${reason} ${ports}/${probes}`;
}

const TRIGGERS: readonly (readonly [name: string, rules: Rules, ports: readonly number[], last: string])[] = [
  ["F11: trigger 3, two ports", {}, [21, 22], "below-trigger: below-trigger 2/2"],
  ["F11: trigger 3, three ports", {}, [21, 22, 23], "block: distinct-ports 3/3"],
  ["F11: trigger 3, one port twice", {}, [21, 21], "below-trigger: repeated-port 1/2"],
  ["F11: trigger 3, one port ten times", {}, Array<number>(10).fill(21), "below-trigger: repeated-port 1/10"],
  ["F11: trigger 3, the second port twice", {}, [21, 22, 22], "below-trigger: repeated-port 2/3"],
  ["F11: trigger 3, two ports in turn", {}, [21, 22, 21], "below-trigger: repeated-port 2/3"],
  ["trigger 0, the first probe", { scan_trigger: 0 }, [21], "block: first-probe 1/1"],
  ["trigger 1, the first probe", { scan_trigger: 1 }, [21], "block: first-probe 1/1"],
  ["trigger 2, one port", { scan_trigger: 2 }, [21], "below-trigger: below-trigger 1/1"],
  ["trigger 2, two ports", { scan_trigger: 2 }, [21, 22], "block: distinct-ports 2/2"],
  ["trigger 64, 63 ports", { scan_trigger: 64 }, range(63), "below-trigger: below-trigger 63/63"],
  ["trigger 64, 64 ports", { scan_trigger: 64 }, range(64), "block: distinct-ports 64/64"],
  ["probes, trigger 3, two of one port", { count: "probes" }, [21, 21], "below-trigger: repeated-port 1/2"],
  ["probes, trigger 3, three of one port", { count: "probes" }, [21, 21, 21], "block: probe-count 1/3"],
  ["response observe", { tcp: "observe" }, [21, 22, 23], "observe: observe-only 3/3"],
  ["response observe, below the trigger", { tcp: "observe" }, [21], "below-trigger: below-trigger 1/1"],
  ["response command", { tcp: "command" }, [21, 22, 23], "block: distinct-ports 3/3"],
];

for (const [name, rules, ports, last] of TRIGGERS) {
  Deno.test(`Judge decides ${name}: ${last}`, () => {
    const judge = judgeWith(rules);
    const verdicts = ports.map((port) => verdict(judge, port));
    assert.equal(verdicts.at(-1), last);
    for (const earlier of verdicts.slice(0, -1)) assert.match(earlier, /^below-trigger/);
  });
}

const ACK_TYPE: readonly (readonly [
  name: string,
  trigger: number,
  asked: readonly (readonly [number, ScanType])[],
  last: string,
])[] = [
  ["one stray ACK at trigger 0", 0, [[80, "ack"]], "below-trigger: below-trigger 1/1"],
  [
    "stray packets to two ports at trigger 0",
    0,
    [[80, "ack"], [443, "maimon"]],
    "below-trigger: below-trigger 2/2",
  ],
  [
    "ACKs to three ports at trigger 0",
    0,
    [[1, "ack"], [2, "ack"], [3, "ack"]],
    "block: distinct-ports 3/3",
  ],
  [
    "F13: Maimon to three ports",
    3,
    [[1, "maimon"], [2, "maimon"], [3, "maimon"]],
    "block: distinct-ports 3/3",
  ],
  [
    "F13: a window scan of three ports",
    3,
    [[1, "window"], [2, "window"], [3, "window"]],
    "block: distinct-ports 3/3",
  ],
  [
    "ACKs to three ports at trigger 4",
    4,
    [[1, "ack"], [2, "ack"], [3, "ack"]],
    "below-trigger: below-trigger 3/3",
  ],
  [
    "ACKs to four ports at trigger 4",
    4,
    [[1, "ack"], [2, "ack"], [3, "ack"], [4, "ack"]],
    "block: distinct-ports 4/4",
  ],
  ["a SYN after an ACK at trigger 1", 1, [[80, "ack"], [80, "syn"]], "block: first-probe 1/2"],
  ["a SYN and an ACK at trigger 2", 2, [[80, "syn"], [81, "ack"]], "block: distinct-ports 2/2"],
];

for (const [name, trigger, asked, last] of ACK_TYPE) {
  Deno.test(`Judge decides ${name}: ${last}`, () => {
    const judge = judgeWith({ scan_trigger: trigger });
    const verdicts = asked.map(([port, scan]) => verdict(judge, port, { scan }));
    assert.equal(verdicts.at(-1), last);
  });
}

Deno.test("Judge counts a hundred ACKs to one port as one port, also when probes are counted", () => {
  const judge = judgeWith({ count: "probes" });
  for (let i = 0; i < 100; i++) assert.match(verdict(judge, 80, { scan: "ack" }), /^below-trigger/);
});

Deno.test("Judge adds up TCP and UDP of one source (PortSentry's two daemons did not)", () => {
  const judge = judgeWith();
  verdict(judge, 21);
  verdict(judge, 53, { protocol: "udp", scan: "udp" });
  assert.equal(verdict(judge, 22), "block: distinct-ports 3/3");
});

const RESPONSES: readonly (readonly [Protocol, Rules, string])[] = [
  ["tcp", { tcp: "block", udp: "observe" }, "block"],
  ["udp", { tcp: "block", udp: "observe" }, "observe"],
  ["udp", { tcp: "observe", udp: "block" }, "block"],
  ["sctp", { tcp: "block", udp: "observe" }, "block"],
  ["icmp", { tcp: "observe", udp: "block" }, "observe"],
];

for (const [protocol, rules, expected] of RESPONSES) {
  Deno.test(`Judge answers ${protocol} as ${JSON.stringify(rules)} says: ${expected}`, () => {
    const judge = judgeWith({ scan_trigger: 0, ...rules });
    assert.equal(judge.judge(probe(1, { protocol })).verdict, expected);
  });
}

Deno.test("Judge considers ignored, protected, blocked, trigger, observe, block in this order", () => {
  const host = new Host();
  const key = addressKey(SCANNER);
  host.ignored.add(key);
  host.protected.set(key, "gateway");
  host.blocked.add(key);
  const judge = judgeWith({ scan_trigger: 2 }, host);
  assert.equal(verdict(judge, 1), "ignored: ignore-list 1/1");
  host.ignored.clear();
  assert.equal(verdict(judge, 1), "protected: gateway 1/1");
  assert.equal(verdict(judge, 2), "protected: gateway 2/2");
  assert.equal(verdict(judge, 3), "protected: gateway 3/3");
  host.protected.clear();
  assert.equal(verdict(judge, 4), "already-blocked: already-blocked 1/1");
  host.blocked.clear();
  judge.forget(SCANNER);
  assert.equal(verdict(judge, 5), "below-trigger: below-trigger 1/1");
  assert.equal(verdict(judge, 6), "block: distinct-ports 2/2");
});

for (const reason of ["own-address", "gateway", "resolver", "session"] as const) {
  Deno.test(`Judge never blocks a protected address (${reason}, F2)`, () => {
    const host = new Host();
    host.protected.set(addressKey(SCANNER), reason);
    const judge = judgeWith({ scan_trigger: 0 }, host);
    for (let port = 0; port < 100; port++) {
      assert.equal(judge.judge(probe(port)).verdict, "protected");
      assert.equal(judge.judge(probe(port)).reason, reason);
    }
  });
}

Deno.test("F5: Judge compares whole addresses: 110.77.0.1 blocked leaves 10.77.0.1 and its like to be judged", () => {
  const host = new Host();
  host.blocked.add("110.77.0.1");
  const judge = judgeWith({ scan_trigger: 0 }, host);
  for (const text of ["10.77.0.1", "110.77.0.11", "0.77.0.1", "110.77.0.10", "::110.77.0.1"]) {
    assert.equal(judge.judge(probe(21, { source: address(text) })).verdict, "block", text);
  }
  for (const text of ["110.77.0.1", "::ffff:110.77.0.1"]) {
    assert.equal(judge.judge(probe(21, { source: address(text) })).verdict, "already-blocked", text);
  }
});

Deno.test("Judge is silent while a ban is on its way, so that a batch holds one block of a source", () => {
  const judge = judgeWith({ scan_trigger: 0 });
  assert.equal(verdict(judge, 1), "block: first-probe 1/1");
  for (const later of [0, 0.5, 2]) {
    assert.equal(verdict(judge, 2, { time: START + later }), "already-blocked: already-blocked 1/1");
  }
});

Deno.test("Judge tries again when a block led to no ban: nobody is already blocked for ever (F1)", () => {
  const judge = judgeWith();
  for (const port of [1, 2, 3]) verdict(judge, port);
  const after = START + 3;
  assert.deepEqual([4, 5, 6].map((port) => verdict(judge, port, { time: after })), [
    "below-trigger: below-trigger 1/1",
    "below-trigger: below-trigger 2/2",
    "block: distinct-ports 3/3",
  ]);
});

Deno.test("F8: Judge judges afresh once a ban is over, without what was seen before or during it", () => {
  const host = new Host();
  const judge = judgeWith({ window: 86_400 }, host);
  for (const port of [1, 2, 3]) verdict(judge, port);
  host.blocked.add(addressKey(SCANNER));
  for (const port of [4, 5, 6]) assert.match(verdict(judge, port, { time: START + 60 }), /^already-blocked/);
  host.blocked.clear();
  judge.forget(SCANNER);
  const after = START + 600;
  assert.equal(verdict(judge, 1, { time: after }), "below-trigger: below-trigger 1/1");
  assert.equal(verdict(judge, 2, { time: after }), "below-trigger: below-trigger 2/2");
  assert.equal(verdict(judge, 3, { time: after }), "block: distinct-ports 3/3");
});

Deno.test("F8: Judge judges afresh after an unblock in the same second", () => {
  const judge = judgeWith({ scan_trigger: 0 });
  verdict(judge, 1);
  judge.forget(SCANNER);
  assert.equal(verdict(judge, 2), "block: first-probe 1/1");
});

Deno.test("Judge leaves nothing of an ignored source in memory", () => {
  const host = new Host();
  host.ignored.add(addressKey(SCANNER));
  const judge = judgeWith({}, host);
  for (const port of [1, 2, 3]) verdict(judge, port);
  assert.deepEqual(judge.evidence(SCANNER, START), []);
});

Deno.test("Judge still knows the evidence of the source it just blocked", () => {
  const judge = judgeWith();
  for (const port of [1, 2, 3]) verdict(judge, port);
  assert.deepEqual(judge.evidence(SCANNER, START).map(({ port }) => port), [1, 2, 3]);
});

Deno.test("F11: Judge forgets a slow stranger, and catches a slow scanner within the window", () => {
  for (const [step, expected] of [[301, "below-trigger"], [300, "block"]] as const) {
    const judge = judgeWith();
    const verdicts = [0, 1, 2].map((i) => judge.judge(probe(i, { time: START + i * step })).verdict);
    assert.equal(verdicts.at(-1), expected);
  }
});

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
