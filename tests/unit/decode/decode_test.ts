import fc from "fast-check";
import assert from "node:assert/strict";
import { decodePacket } from "../../../src/decode/decode.ts";
import type { Packet, UnknownReason } from "../../../src/decode/packet.ts";
import { formatAddress } from "../../../src/net/address.ts";
import { concat, extension, fragment6, hex, icmp, ip, tcp, udp } from "../../lab/packets.ts";

const A = "192.0.2.1";
const B = "198.51.100.2";
const A6 = "2001:db8::1";
const B6 = "2001:db8::2";

/** What a packet comes to, in one line. */
function told(packet: Packet): string {
  if (packet.kind === "unknown") return packet.reason;
  const marks = (packet.hasOptions ? " options" : "") + (packet.fragmented ? " fragment" : "");
  const ends = `${formatAddress(packet.source)} ${formatAddress(packet.dest)}`;
  switch (packet.kind) {
    case "tcp":
      return `tcp ${ends} ${packet.sourcePort}>${packet.destPort} flags ${packet.flags}${marks}`;
    case "udp":
      return `udp ${ends} ${packet.sourcePort}>${packet.destPort}${marks}`;
    case "sctp":
      return `sctp ${ends} ${packet.sourcePort}>${packet.destPort} chunk ${packet.chunkType}${marks}`;
    case "icmp":
      return `icmp ${ends} ${packet.type}/${packet.code}${marks}`;
  }
}

/** Recorded in namespaces with tcpdump; the first comment is what sent them. */
const GOLDEN: readonly (readonly [name: string, bytes: string, expected: string])[] = [
  [
    "nmap -sS",
    `4500 002c 30f6 0000 3206 433a 0a4d 0002 0a4d 0001 // IPv4, 44 bytes, TTL 50, TCP
     b881 0035 6c94 c8f1 0000 0000 6002 0400 914d 0000 // 47233 > 53, SYN
     0204 05b4                                         // MSS 1460`,
    "tcp 10.77.0.2 10.77.0.1 47233>53 flags 2",
  ],
  [
    "nmap -sX",
    `4500 0028 d8bf 0000 3906 9470 0a4d 0006 0a4d 0001
     a0a0 0019 eee8 6aca 0000 0000 5029 0400 9cae 0000 // FIN PSH URG`,
    "tcp 10.77.0.6 10.77.0.1 41120>25 flags 41",
  ],
  [
    "nmap -sS -f, first fragment (C21)",
    `4500 001c 6f89 2000 2f06 e7ab 0a4d 000d 0a4d 0001 // more fragments, offset 0
     eb02 0015 3237 41ea                               // ports and sequence number only`,
    "tcp 10.77.0.13 10.77.0.1 60162>21 flags undefined fragment",
  ],
  [
    "nmap -sS -f, second fragment",
    `4500 001c 6f89 2001 2f06 e7aa 0a4d 000d 0a4d 0001 0000 0000 6002 0400`,
    "later-fragment",
  ],
  [
    "hping3 -S -G (record route: 40 bytes of options)",
    `4f00 0050 ae3d 0000 4006 9891 0a4d 0013 0a4d 0001
     0727 0801 0203 0401 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000
     0b76 0007 7edc f2ef 51fe 1bba 5002 0200 ae33 0000`,
    "tcp 10.77.0.19 10.77.0.1 2934>7 flags 2 options",
  ],
  [
    "nmap -sU, NTP payload cut by the capture",
    `4500 004c 835c 0000 3811 eaa0 0a4d 000a 0a4d 0001 861f 007b 0038 0000`,
    "udp 10.77.0.10 10.77.0.1 34335>123",
  ],
  [
    "nmap -sY",
    `4500 0034 66fb 0000 3684 08a6 0a4d 000b 0a4d 0001
     b09d 002e 0000 0000 3f20 8bd5 0100 0014 bbb9 6587 0000 8000 000a 0800 95b5 8813`,
    "sctp 10.77.0.11 10.77.0.1 45213>46 chunk 1",
  ],
  [
    "nmap -6 -sS (F12)",
    `6000 0000 0018 06ff fd77 0000 0000 0000 0000 0000 0000 0017 fd77 0000 0000 0000 0000 0000 0000 0001
     f932 0019 c1fb b6b5 0000 0000 6002 0400 2722 0000 0204 05b4`,
    "tcp fd77::17 fd77::1 63794>25 flags 2",
  ],
];

for (const [name, bytes, expected] of GOLDEN) {
  Deno.test(`decodePacket reads what ${name} sends`, () => {
    const packet = hex(bytes);
    assert.equal(told(decodePacket(packet, Math.max(packet.length, 80))), expected);
  });
}

const six = (protocol: number, payload: Uint8Array): Uint8Array =>
  ip({ from: A6, to: B6, protocol, payload });
const syn = tcp({ to: 22 });
const SYN6 = `tcp ${A6} ${B6} 40000>22 flags 2`;

const RULES: readonly (readonly [name: string, bytes: Uint8Array, expected: string])[] = [
  ["UDP", ip({ from: A, to: B, protocol: 17, payload: udp({ to: 53 }) }), `udp ${A} ${B} 40000>53`],
  ["an echo request", ip({ from: A, to: B, protocol: 1, payload: icmp(8) }), `icmp ${A} ${B} 8/0`],
  ["an ICMPv6 echo request", six(58, icmp(128)), `icmp ${A6} ${B6} 128/0`],
  ["ICMPv6 in IPv4 as nothing", ip({ from: A, to: B, protocol: 58, payload: icmp(128) }), "other-protocol"],
  ["ICMP in IPv6 as nothing", six(1, icmp(8)), "other-protocol"],
  ["IGMP as nothing", ip({ from: A, to: B, protocol: 2, payload: icmp(0x11) }), "other-protocol"],
  ["ESP as a closed book", six(50, new Uint8Array(32)), "encrypted"],
  ["NULL flags", ip({ from: A, to: B, payload: tcp({ to: 1, flags: 0 }) }), `tcp ${A} ${B} 40000>1 flags 0`],
  [
    "Ethernet padding",
    concat(ip({ from: A, to: B, payload: syn }), new Uint8Array(6)),
    `tcp ${A} ${B} 40000>22 flags 2`,
  ],
  [
    "a length of 0 (offload)",
    ip({ from: A, to: B, payload: syn, length: 0 }),
    `tcp ${A} ${B} 40000>22 flags 2`,
  ],
  ["F12: an 8-byte destination header", six(60, extension(6, syn)), `${SYN6} options`],
  ["F12: an 8-byte hop-by-hop header", six(0, extension(6, syn)), `${SYN6} options`],
  ["a 24-byte routing header", six(43, extension(6, syn, 2)), `${SYN6} options`],
  [
    "mobility, HIP and shim6 headers",
    six(135, extension(139, extension(140, extension(6, syn)))),
    `${SYN6} options`,
  ],
  ["an AH header of 24 bytes", six(51, concat(Uint8Array.of(6, 4), new Uint8Array(22), syn)), SYN6],
  ["an atomic fragment", six(44, fragment6({ next: 6, offset: 0, more: false, payload: syn })), SYN6],
  [
    "a first fragment",
    six(44, fragment6({ next: 6, offset: 0, more: true, payload: syn })),
    `${SYN6} fragment`,
  ],
  [
    "a first fragment with the ports only",
    six(44, fragment6({ next: 6, offset: 0, more: true, payload: syn.subarray(0, 8) })),
    `tcp ${A6} ${B6} 40000>22 flags undefined fragment`,
  ],
  [
    "a first fragment of 16 bytes with flags",
    ip({ from: A, to: B, payload: syn.subarray(0, 16), fragment: 0x2000 }),
    `tcp ${A} ${B} 40000>22 flags 2 fragment`,
  ],
  [
    "a later fragment",
    six(44, fragment6({ next: 6, offset: 8, more: false, payload: syn })),
    "later-fragment",
  ],
  [
    "all headers at once",
    six(0, extension(60, extension(43, extension(60, extension(6, syn))))),
    `${SYN6} options`,
  ],
];

for (const [name, bytes, expected] of RULES) {
  Deno.test(`decodePacket reads ${name}`, () => assert.equal(told(decodePacket(bytes)), expected));
}

const whole = ip({ from: A, to: B, payload: syn });
const whole6 = six(6, syn);
const manyHeaders = (count: number): Uint8Array => {
  let payload = syn;
  for (let i = 0; i < count; i++) payload = extension(i === 0 ? 6 : 60, payload);
  return six(60, payload);
};

const HOSTILE: readonly (readonly [name: string, bytes: Uint8Array, reason: UnknownReason])[] = [
  ["nothing", new Uint8Array(0), "truncated"],
  ["a version 0", new Uint8Array(40), "not-ip"],
  ["a version 15", new Uint8Array(40).fill(255), "not-ip"],
  ["one byte of IPv4", Uint8Array.of(0x45), "truncated"],
  ["19 bytes of IPv4", whole.subarray(0, 19), "truncated"],
  ["an IPv4 header of 16 bytes", concat(Uint8Array.of(0x44), whole.subarray(1)), "bad-length"],
  ["an IPv4 header of no bytes", concat(Uint8Array.of(0x40), whole.subarray(1)), "bad-length"],
  ["an IPv4 header longer than the packet", concat(Uint8Array.of(0x4f), whole.subarray(1)), "bad-length"],
  ["an IPv4 length below the header's", ip({ from: A, to: B, payload: syn, length: 19 }), "bad-length"],
  ["an IPv4 length beyond the wire", ip({ from: A, to: B, payload: syn, length: 41 }), "bad-length"],
  ["an IPv4 length of 65535", ip({ from: A, to: B, payload: syn, length: 65535 }), "bad-length"],
  ["no room for TCP", ip({ from: A, to: B, payload: syn.subarray(0, 19) }), "bad-length"],
  ["no room for UDP", ip({ from: A, to: B, protocol: 17, payload: new Uint8Array(7) }), "bad-length"],
  [
    "no room for SCTP's chunk",
    ip({ from: A, to: B, protocol: 132, payload: new Uint8Array(15) }),
    "bad-length",
  ],
  ["no room for ICMP", ip({ from: A, to: B, protocol: 1, payload: new Uint8Array(7) }), "bad-length"],
  ["a TCP header of 16 bytes", ip({ from: A, to: B, payload: tcp({ to: 22, dataOffset: 4 }) }), "bad-length"],
  [
    "TCP options beyond the packet",
    ip({ from: A, to: B, payload: tcp({ to: 22, dataOffset: 6 }) }),
    "bad-length",
  ],
  [
    "a UDP length of 7",
    ip({ from: A, to: B, protocol: 17, payload: udp({ to: 1, length: 7 }) }),
    "bad-length",
  ],
  [
    "a UDP length beyond the packet",
    ip({ from: A, to: B, protocol: 17, payload: udp({ to: 1, length: 13 }) }),
    "bad-length",
  ],
  [
    "a first fragment without ports",
    ip({ from: A, to: B, payload: syn.subarray(0, 3), fragment: 0x2000 }),
    "bad-length",
  ],
  ["39 bytes of IPv6", whole6.subarray(0, 39), "truncated"],
  ["an IPv6 length beyond the wire", ip({ from: A6, to: B6, payload: syn, length: 21 }), "bad-length"],
  ["no room for an extension header", six(60, new Uint8Array(7)), "bad-length"],
  ["an extension header beyond the packet", six(60, extension(6, syn).fill(255, 1, 2)), "bad-length"],
  [
    "an AH header beyond the packet",
    six(51, concat(Uint8Array.of(6, 255), new Uint8Array(22))),
    "bad-length",
  ],
  [
    "a header that points at itself for ever",
    six(60, concat(...Array<Uint8Array>(200).fill(extension(60, new Uint8Array(0))))),
    "extension-headers",
  ],
  ["65 extension headers", manyHeaders(65), "extension-headers"],
  ["no next header", six(59, syn), "other-protocol"],
  [
    "an IPv4 address in an IPv6 source",
    ip({ from: `2001:db8::1`, to: `::ffff:${B}`, payload: syn }),
    "mapped-address",
  ],
];

for (const [name, bytes, reason] of HOSTILE) {
  Deno.test(`decodePacket takes ${name} for unknown`, () => assert.equal(told(decodePacket(bytes)), reason));
}

Deno.test("decodePacket takes a mapped source for unknown, so that no IPv4 address is blamed over IPv6", () => {
  const bytes = ip({ from: "2001:db8::1", to: B6, payload: syn });
  bytes.set([...new Uint8Array(10), 255, 255, 192, 0, 2, 1], 8);
  assert.equal(told(decodePacket(bytes)), "mapped-address");
});

Deno.test("decodePacket walks 64 extension headers", () => {
  assert.equal(told(decodePacket(manyHeaders(64))), `${SYN6} options`);
});

Deno.test("decodePacket tells a short capture from a short packet", () => {
  for (const packet of [whole, whole6, six(60, extension(6, syn))]) {
    for (let length = 1; length < packet.length; length++) {
      const seen = decodePacket(packet.subarray(0, length), packet.length);
      if (seen.kind === "unknown") assert.equal(seen.reason, "truncated");
      else assert.equal(seen.kind === "tcp" && seen.flags, 2);
    }
  }
});

Deno.test("decodePacket never throws, and never invents bytes that are not there", () => {
  const start = fc.constantFrom(
    whole,
    whole6,
    six(60, extension(44, fragment6({ next: 6, offset: 0, more: true, payload: syn }))),
  );
  const changes = fc.array(fc.tuple(fc.nat(119), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(start, changes, fc.nat(120), fc.nat(70_000), (packet, edits, length, wireLength) => {
      const bytes = concat(packet, new Uint8Array(120)).subarray(0, length);
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      const seen = decodePacket(bytes, wireLength);
      if (seen.kind !== "unknown") assert.ok(bytes.length >= 24);
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer(), (bytes, wireLength) => {
      decodePacket(bytes, wireLength);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("decodePacket says how much data a segment carried on the wire", () => {
  const packet = ip({ from: A, to: B, payload: tcp({ to: 80, flags: 0x18, payload: new Uint8Array(1000) }) });
  for (const captured of [40, 600, packet.length]) {
    const seen = decodePacket(packet.subarray(0, captured), packet.length);
    assert.equal(seen.kind === "tcp" && seen.payloadBytes, 1000);
  }
});
