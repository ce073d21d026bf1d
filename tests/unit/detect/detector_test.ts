import fc from "fast-check";
import assert from "node:assert/strict";
import { defaultConfig, type DetectConfig } from "../../../src/config/schema.ts";
import { trapOf } from "../../../src/config/trap.ts";
import type { Probe } from "../../../src/decode/probe.ts";
import { Detector, type DetectorFacts } from "../../../src/detect/detector.ts";
import { type Address, addressKey, parseAddress } from "../../../src/net/address.ts";
import { concat, icmp, ip, sctp, tcp, udp } from "../../lab/packets.ts";

const US = "198.51.100.2";
const US6 = "2001:db8::2";
const THEM = "192.0.2.1";
const THEM6 = "2001:db8:1::1";
const START = 1_800_000_000;

/** A host with a web server on 80, a name server on UDP 53, and 25 in grace. Counts what it is asked. */
class Host implements DetectorFacts {
  readonly asked: string[] = [];
  isOwn(address: Address): boolean {
    this.asked.push("isOwn");
    return [US, US6, "198.51.100.3"].includes(addressKey(address));
  }
  isForUs(dest: Address): boolean {
    this.asked.push("isForUs");
    return this.isOwn(dest);
  }
  isClientPort(port: number): boolean {
    return port >= 32768 && port <= 60999;
  }
  inGrace(probe: Probe): boolean {
    this.asked.push("inGrace");
    return probe.port === 25;
  }
  isServed(probe: Probe): boolean {
    this.asked.push("isServed");
    return addressKey(probe.dest) !== "198.51.100.3" &&
      (probe.protocol === "tcp" ? probe.port === 80 : probe.port === 53);
  }
  isIgnored(): boolean {
    return false;
  }
  protectedReason(): undefined {
    return undefined;
  }
  isBlocked(): boolean {
    return false;
  }
}

function detector(host: Host = new Host(), detect: Partial<DetectConfig> = {}): Detector {
  const base = defaultConfig();
  const config = {
    ...base,
    tcp: { ...base.tcp, response: "block" as const },
    udp: { ...base.udp, response: "block" as const },
    detect: { ...base.detect, max_sources: 1024, ...detect },
  };
  return new Detector({ config, trap: trapOf(config), facts: host, key: [1, 2] });
}

function inspect(to: Detector, bytes: Uint8Array, frame: { time?: number; outgoing?: boolean } = {}): string {
  const result = to.inspect({ time: START, outgoing: false, ...frame, bytes, wireLength: bytes.length });
  return result.verdict === "not-evidence" ? result.reason : result.verdict;
}

const syn = (to: number): Uint8Array => tcp({ to });
const datagram = (to: number, from = 40000): Uint8Array => udp({ to, from });

const EVIDENCE: readonly (readonly [name: string, bytes: Uint8Array, expected: string])[] = [
  ["a SYN to a closed port", ip({ from: THEM, to: US, payload: syn(22) }), "below-trigger"],
  ["the same over IPv6 (F12)", ip({ from: THEM6, to: US6, payload: syn(22) }), "below-trigger"],
  ["port 0", ip({ from: THEM, to: US, payload: syn(0) }), "below-trigger"],
  ["C19: the last trapped port", ip({ from: THEM, to: US, payload: syn(1023) }), "below-trigger"],
  ["C19: the first port above", ip({ from: THEM, to: US, payload: syn(1024) }), "untrapped"],
  ["C19: an excluded port", ip({ from: THEM, to: US, payload: syn(113) }), "untrapped"],
  [
    "C19: an excluded UDP port",
    ip({ from: THEM, to: US, protocol: 17, payload: datagram(137) }),
    "untrapped",
  ],
  ["C18: a SYN to a service", ip({ from: THEM, to: US, payload: syn(80) }), "served"],
  [
    "a SYN to a service of another address (F17)",
    ip({ from: THEM, to: "198.51.100.3", payload: syn(80) }),
    "below-trigger",
  ],
  ["a NULL scan of a service", ip({ from: THEM, to: US, payload: tcp({ to: 80, flags: 0 }) }), "served"],
  ["a port in grace", ip({ from: THEM, to: US, payload: syn(25) }), "grace"],
  ["an SCTP INIT", ip({ from: THEM, to: US, protocol: 132, payload: sctp({ to: 22 }) }), "below-trigger"],
  ["an echo request, by default", ip({ from: THEM, to: US, protocol: 1, payload: icmp(8) }), "untrapped"],
  ["somebody else's packet", ip({ from: THEM, to: "198.51.100.9", payload: syn(22) }), "not-for-us"],
  [
    "F23: a directed broadcast",
    ip({ from: THEM, to: "198.51.100.255", protocol: 17, payload: datagram(631) }),
    "not-for-us",
  ],
  [
    "F23: the limited broadcast",
    ip({ from: THEM, to: "255.255.255.255", protocol: 17, payload: datagram(68) }),
    "broadcast",
  ],
  [
    "F23: a multicast",
    ip({ from: THEM, to: "224.0.0.251", protocol: 17, payload: datagram(161) }),
    "broadcast",
  ],
  [
    "F23: an IPv6 multicast",
    ip({ from: THEM6, to: "ff02::fb", protocol: 17, payload: datagram(161) }),
    "broadcast",
  ],
  [
    "an unspecified source",
    ip({ from: "0.0.0.0", to: US, protocol: 17, payload: datagram(69) }),
    "bogus-source",
  ],
  ["an unspecified IPv6 source", ip({ from: "::", to: US6, payload: syn(22) }), "bogus-source"],
  ["a multicast source", ip({ from: "224.0.0.1", to: US, payload: syn(22) }), "bogus-source"],
  ["a broadcast source", ip({ from: "255.255.255.255", to: US, payload: syn(22) }), "bogus-source"],
  ["our own address as source", ip({ from: US, to: US, payload: syn(22) }), "own-source"],
  ["another address of ours as source", ip({ from: "198.51.100.3", to: US, payload: syn(22) }), "own-source"],
  ["loopback as source", ip({ from: "127.0.0.1", to: US, payload: syn(22) }), "own-source"],
  [
    "a SYN/ACK to a closed port",
    ip({ from: THEM, to: US, payload: tcp({ to: 22, flags: 0x12 }) }),
    "syn-ack",
  ],
  ["a RST to a closed port", ip({ from: THEM, to: US, payload: tcp({ to: 22, flags: 4 }) }), "reset"],
  ["nonsense", new Uint8Array(40), "not-ip"],
];

for (const [name, bytes, expected] of EVIDENCE) {
  Deno.test(`Detector takes ${name} for ${expected}`, () => {
    const subject = detector();
    assert.equal(inspect(subject, bytes), expected);
    for (const [reason, count] of subject.counters()) {
      assert.equal(count, reason === expected ? 1 : 0, reason);
    }
  });
}

Deno.test("Detector asks the kernel last, and only about what everything else let through", () => {
  for (const [, bytes, expected] of EVIDENCE) {
    const host = new Host();
    inspect(detector(host), bytes);
    const wanted = expected === "below-trigger" || expected === "served";
    assert.equal(host.asked.includes("isServed"), wanted);
    if (wanted) assert.equal(host.asked.at(-1), "isServed");
  }
});

Deno.test("Detector counts ICMP requests when asked to, by message type", () => {
  const subject = detector(new Host(), { icmp: true });
  const types = [8, 13, 17].map((type) =>
    inspect(subject, ip({ from: THEM, to: US, protocol: 1, payload: icmp(type) }))
  );
  assert.deepEqual(types, ["below-trigger", "below-trigger", "block"]);
});

Deno.test("Detector leaves SCTP alone when asked to", () => {
  const subject = detector(new Host(), { sctp: false });
  assert.equal(
    inspect(subject, ip({ from: THEM, to: US, protocol: 132, payload: sctp({ to: 22 }) })),
    "untrapped",
  );
});

const [FIN, SYN, PSH, ACK] = [1, 2, 8, 16] as const;

Deno.test("Detector takes the late rest of connections of ours for a reply, and nothing else to their ports", () => {
  const base = defaultConfig();
  const config = { ...base, tcp: { ...base.tcp, advanced_below: 65536 } };
  const subject = new Detector({ config, trap: trapOf(config), facts: new Host(), key: [1, 2] });
  const rows = [
    [32767, ACK, "below-trigger"],
    [32768, ACK, "reply"],
    [50000, PSH | ACK, "reply"],
    [50001, FIN | ACK, "reply"],
    [60999, ACK, "reply"],
    [61000, ACK, "below-trigger"],
    [50000, SYN, "observe"],
    [50001, FIN, "observe"],
  ] as const;
  for (const [port, flags, expected] of rows) {
    const bytes = ip({ from: THEM, to: US, payload: tcp({ from: 80, to: port, flags }) });
    assert.equal(inspect(subject, bytes), expected, `${port} ${flags}`);
  }
});

Deno.test("F18: Detector takes the answer to a datagram of ours for a reply, for two minutes", () => {
  const rows = [
    {
      name: "the answer",
      answer: ip({ from: THEM, to: US, protocol: 17, payload: datagram(700, 53) }),
      after: 119,
      expected: "reply",
    },
    {
      name: "at the limit",
      answer: ip({ from: THEM, to: US, protocol: 17, payload: datagram(700, 53) }),
      after: 120,
      expected: "reply",
    },
    {
      name: "too late",
      answer: ip({ from: THEM, to: US, protocol: 17, payload: datagram(700, 53) }),
      after: 121,
      expected: "below-trigger",
    },
    {
      name: "of somebody else",
      answer: ip({ from: "192.0.2.9", to: US, protocol: 17, payload: datagram(700, 53) }),
      after: 1,
      expected: "below-trigger",
    },
    {
      name: "from another port",
      answer: ip({ from: THEM, to: US, protocol: 17, payload: datagram(700, 54) }),
      after: 1,
      expected: "below-trigger",
    },
    {
      name: "to another port",
      answer: ip({ from: THEM, to: US, protocol: 17, payload: datagram(701, 53) }),
      after: 1,
      expected: "below-trigger",
    },
    {
      name: "by TCP",
      answer: ip({ from: THEM, to: US, payload: tcp({ from: 53, to: 700 }) }),
      after: 1,
      expected: "below-trigger",
    },
  ];
  for (const { name, answer, after, expected } of rows) {
    const subject = detector();
    const question = ip({ from: US, to: THEM, protocol: 17, payload: udp({ from: 700, to: 53 }) });
    assert.equal(inspect(subject, question, { outgoing: true }), "outgoing");
    assert.equal(inspect(subject, answer, { time: START + after }), expected, name);
  }
});

Deno.test("Detector remembers questions in bounded memory", () => {
  const subject = detector();
  for (let i = 0; i < 100_000; i++) {
    const to = `192.0.${i >>> 8 & 255}.${i & 255}`;
    const question = ip({ from: US, to, protocol: 17, payload: udp({ from: 700, to: 1 + i % 60_000 }) });
    inspect(subject, question, { outgoing: true, time: START + i / 1000 });
  }
  inspect(subject, ip({ from: US, to: THEM, protocol: 17, payload: udp({ from: 700, to: 53 }) }), {
    outgoing: true,
    time: START + 100,
  });
  const answer = ip({ from: THEM, to: US, protocol: 17, payload: datagram(700, 53) });
  assert.equal(inspect(subject, answer, { time: START + 101 }), "reply");
});

Deno.test("Detector judges who reached a bound trap socket, and calls it connect", () => {
  const subject = detector(new Host(), { scan_trigger: 0 });
  const [source, dest] = [parseAddress(THEM), parseAddress("0.0.0.0")];
  assert.ok(source !== undefined && dest !== undefined);
  const contact = { time: START, source, dest, protocol: "tcp", port: 31337 } as const;
  const decision = subject.inspectContact(contact);
  assert.equal(decision.verdict, "block");
  assert.equal(decision.probe?.scan, "connect");
  const own = parseAddress(US);
  assert.ok(own !== undefined);
  assert.equal(subject.inspectContact({ ...contact, source: own }).reason, "own-source");
  assert.equal(subject.inspectContact({ ...contact, source: dest, protocol: "udp" }).reason, "bogus-source");
});

Deno.test("Detector blocks at the third port, tells the evidence, and judges afresh when told to forget", () => {
  const subject = detector();
  const verdicts = [21, 22, 23].map((port) =>
    inspect(subject, ip({ from: THEM, to: US, payload: syn(port) }))
  );
  assert.deepEqual(verdicts, ["below-trigger", "below-trigger", "block"]);
  const source = parseAddress(THEM);
  assert.ok(source !== undefined);
  assert.deepEqual(subject.evidence(source, START).map(({ port, scan }) => `${scan} ${port}`), [
    "syn 21",
    "syn 22",
    "syn 23",
  ]);
  subject.forget(source);
  assert.equal(inspect(subject, ip({ from: THEM, to: US, payload: syn(24) })), "below-trigger");
});

Deno.test("Detector never throws, and never blocks for bytes of which it understood nothing", () => {
  const start = ip({ from: THEM, to: US, payload: syn(22) });
  const edits = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(edits, fc.nat(64), fc.double(), fc.boolean(), (changes, length, time, outgoing) => {
      const bytes = concat(start, new Uint8Array(24)).subarray(0, length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const result = inspect(detector(new Host(), { scan_trigger: 0 }), bytes, { time, outgoing });
      if (result === "block") assert.ok(bytes.length >= 24);
    }),
    { numRuns: 1000 },
  );
});
