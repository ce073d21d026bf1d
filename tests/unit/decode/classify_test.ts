import assert from "node:assert/strict";
import { classify, isAckType } from "../../../src/decode/classify.ts";
import { decodePacket } from "../../../src/decode/decode.ts";
import { SCAN_TYPES } from "../../../src/decode/probe.ts";
import { icmp, ip, sctp, tcp, udp } from "../../lab/packets.ts";

const [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR] = [1, 2, 4, 8, 16, 32, 64, 128] as const;
const A = "192.0.2.1";
const B = "198.51.100.2";

function told(bytes: Uint8Array): string {
  const classified = classify(decodePacket(bytes), 1000.5);
  return classified.kind === "probe" ? classified.probe.scan : `no: ${classified.reason}`;
}

const FLAGS: readonly (readonly [flags: number, expected: string, why: string])[] = [
  [0, "null", "C20 nmap -sN"],
  [ECE | CWR, "null", "C20 the ECN bits are no flags"],
  [FIN, "fin", "C20 nmap -sF"],
  [FIN | ECE, "fin", "the ECN bits are no flags"],
  [FIN | PSH | URG, "xmas", "C20 nmap -sX"],
  [FIN | PSH | URG | ECE | CWR, "xmas", "the ECN bits are no flags"],
  [SYN | FIN | PSH | URG, "xmas", "C20 PortSentry's order: others may be set too"],
  [SYN, "syn", "C20 nmap -sS and -sT"],
  [SYN | ECE | CWR, "syn", "an honest client with ECN"],
  [SYN | URG, "unknown", "C20 --scanflags SYNURG"],
  [SYN | PSH, "unknown", "C20"],
  [SYN | FIN, "unknown", "C20"],
  [PSH, "unknown", "C20"],
  [URG, "unknown", "C20"],
  [FIN | PSH, "unknown", "C20"],
  [FIN | URG, "unknown", "C20"],
  [PSH | URG, "unknown", "C20"],
  [ACK, "ack", "F13 nmap -sA and -sW"],
  [ACK | PSH, "ack", "data of a connection that is gone"],
  [ACK | URG, "ack", "the same"],
  [ACK | ECE, "ack", "the same"],
  [FIN | ACK, "maimon", "F13 nmap -sM"],
  [FIN | ACK | ECE, "maimon", "the ECN bits are no flags"],
  [FIN | ACK | PSH, "ack", "the last data of a connection"],
  [SYN | ACK, "no: syn-ack", "an answer, or backscatter"],
  [SYN | ACK | ECE, "no: syn-ack", "an answer with ECN"],
  [SYN | ACK | FIN | PSH | URG, "no: syn-ack", "an ACK and a SYN, whatever else"],
  [RST, "no: reset", "the end of a connection"],
  [RST | ACK, "no: reset", "a closed port's answer"],
  [RST | SYN, "no: reset", "a RST, whatever else"],
  [RST | FIN | PSH | URG, "no: reset", "a RST, whatever else"],
  [0xff, "no: reset", "every bit"],
];

for (const [flags, expected, why] of FLAGS) {
  Deno.test(`classify calls TCP flags 0x${flags.toString(16).padStart(2, "0")} ${expected} (${why})`, () => {
    assert.equal(told(ip({ from: A, to: B, payload: tcp({ to: 22, flags }) })), expected);
  });
}

const OTHERS: readonly (readonly [name: string, bytes: Uint8Array, expected: string])[] = [
  ["a UDP datagram", ip({ from: A, to: B, protocol: 17, payload: udp({ to: 53 }) }), "udp"],
  ["SCTP INIT", ip({ from: A, to: B, protocol: 132, payload: sctp({ to: 22 }) }), "sctp"],
  [
    "SCTP INIT ACK",
    ip({ from: A, to: B, protocol: 132, payload: sctp({ to: 22, chunk: 2 }) }),
    "no: sctp-not-init",
  ],
  [
    "SCTP DATA",
    ip({ from: A, to: B, protocol: 132, payload: sctp({ to: 22, chunk: 0 }) }),
    "no: sctp-not-init",
  ],
  [
    "SCTP ABORT",
    ip({ from: A, to: B, protocol: 132, payload: sctp({ to: 22, chunk: 6 }) }),
    "no: sctp-not-init",
  ],
  ["an echo request", ip({ from: A, to: B, protocol: 1, payload: icmp(8) }), "icmp"],
  ["a timestamp request", ip({ from: A, to: B, protocol: 1, payload: icmp(13) }), "icmp"],
  ["an information request", ip({ from: A, to: B, protocol: 1, payload: icmp(15) }), "icmp"],
  ["an address mask request", ip({ from: A, to: B, protocol: 1, payload: icmp(17) }), "icmp"],
  ["an echo reply", ip({ from: A, to: B, protocol: 1, payload: icmp(0) }), "no: icmp-not-request"],
  ["port unreachable", ip({ from: A, to: B, protocol: 1, payload: icmp(3, 3) }), "no: icmp-not-request"],
  ["ICMP type 128", ip({ from: A, to: B, protocol: 1, payload: icmp(128) }), "no: icmp-not-request"],
  [
    "an ICMPv6 echo request",
    ip({ from: "fd00::1", to: "fd00::2", protocol: 58, payload: icmp(128) }),
    "icmp",
  ],
  [
    "ICMPv6 type 8",
    ip({ from: "fd00::1", to: "fd00::2", protocol: 58, payload: icmp(8) }),
    "no: icmp-not-request",
  ],
  [
    "a neighbour solicitation",
    ip({ from: "fd00::1", to: "fd00::2", protocol: 58, payload: icmp(135) }),
    "no: icmp-not-request",
  ],
  [
    "C21 a first fragment that hides its flags",
    ip({ from: A, to: B, payload: tcp({ to: 22 }).subarray(0, 8), fragment: 0x2000 }),
    "unknown",
  ],
  ["a later fragment", ip({ from: A, to: B, payload: tcp({ to: 22 }), fragment: 1 }), "no: later-fragment"],
  ["nonsense", new Uint8Array(60), "no: not-ip"],
];

for (const [name, bytes, expected] of OTHERS) {
  Deno.test(`classify calls ${name} ${expected}`, () => assert.equal(told(bytes), expected));
}

Deno.test("classify keeps what the log needs", () => {
  const options = new Uint8Array(8);
  const packet = ip({ from: A, to: B, payload: tcp({ from: 53, to: 22, flags: 0x22 }), options });
  const classified = classify(decodePacket(packet), 1000.5);
  assert.ok(classified.kind === "probe");
  const { source, dest, ...rest } = classified.probe;
  assert.equal(source.w3, 0xc0000201);
  assert.equal(dest.w3, 0xc6336402);
  assert.deepEqual(rest, {
    time: 1000.5,
    protocol: "tcp",
    port: 22,
    sourcePort: 53,
    scan: "unknown",
    flags: 0x22,
    hasOptions: true,
  });
});

Deno.test("classify gives ICMP its message type for a port", () => {
  const classified = classify(decodePacket(ip({ from: A, to: B, protocol: 1, payload: icmp(13) })), 0);
  assert.equal(classified.kind === "probe" && classified.probe.port, 13);
});

Deno.test("isAckType holds for what looks like a stray late packet, and nothing else", () => {
  assert.deepEqual(SCAN_TYPES.filter(isAckType), ["ack", "window", "maimon"]);
});
