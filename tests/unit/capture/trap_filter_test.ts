import assert from "node:assert/strict";
import fc from "fast-check";
import { compileTrap, instructionLimit, SNAP_BYTES, SNAP_WHOLE } from "../../../src/capture/trap_filter.ts";
import type { Trap } from "../../../src/config/trap.ts";
import { MAX_INSTRUCTIONS } from "../../../src/net/bpf.ts";
import { type PortRange, PortSet } from "../../../src/net/ports.ts";
import { runProgram, type SeenPacket } from "./bpf_machine.ts";
import { packetBytes, type PacketOptions } from "../../lab/made_packet.ts";

const EPHEMERAL = { first: 32768, last: 60999 };
const TCP = 6;
const UDP = 17;
const SCTP = 132;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;

function trap(parts: Partial<Trap>): Trap {
  const none = new PortSet();
  return { tcp: none, udp: none, sctp: none, icmp: false, ...parts };
}

function seen(options: PacketOptions, link: Partial<SeenPacket> = {}): SeenPacket {
  const protocol = options.family === 6 ? 0x86dd : 0x0800;
  return { bytes: packetBytes(options), protocol, ...link };
}

const SMALL = trap({
  tcp: PortSet.of(23, 50000),
  udp: PortSet.of(161, 123),
  sctp: PortSet.of(23, 50000),
  icmp: true,
});

const CASES: readonly (readonly [string, PacketOptions, Partial<SeenPacket>, number])[] = [
  ["SYN", { protocol: TCP, destPort: 23 }, {}, SNAP_BYTES],
  ["SYN elsewhere", { protocol: TCP, destPort: 22 }, {}, 0],
  ["SYN behind IPv4 options", { protocol: TCP, destPort: 23, options: 40 }, {}, SNAP_BYTES],
  ["SYN with ECN bits", { protocol: TCP, destPort: 23, flags: SYN | 0xc0 }, {}, SNAP_BYTES],
  ["NULL", { protocol: TCP, destPort: 23, flags: 0 }, {}, SNAP_BYTES],
  ["FIN", { protocol: TCP, destPort: 23, flags: FIN }, {}, SNAP_BYTES],
  ["XMAS", { protocol: TCP, destPort: 23, flags: FIN | PSH | URG }, {}, SNAP_BYTES],
  ["ACK", { protocol: TCP, destPort: 23, flags: ACK }, {}, SNAP_BYTES],
  ["Maimon", { protocol: TCP, destPort: 23, flags: FIN | ACK }, {}, SNAP_BYTES],
  ["RST", { protocol: TCP, destPort: 23, flags: RST }, {}, 0],
  ["RST/ACK", { protocol: TCP, destPort: 23, flags: RST | ACK }, {}, 0],
  ["SYN/ACK", { protocol: TCP, destPort: 23, flags: SYN | ACK }, {}, 0],
  ["SYN/ACK with PSH", { protocol: TCP, destPort: 23, flags: SYN | ACK | PSH }, {}, 0],
  ["SYN to an ephemeral port", { protocol: TCP, destPort: 50000 }, {}, SNAP_BYTES],
  ["ACK to an ephemeral port", { protocol: TCP, destPort: 50000, flags: ACK }, {}, 0],
  ["FIN to an ephemeral port", { protocol: TCP, destPort: 50000, flags: FIN }, {}, SNAP_BYTES],
  ["TCP without flags", { protocol: TCP, destPort: 23, transportBytes: 13 }, {}, 0],
  ["UDP", { protocol: UDP, destPort: 161 }, {}, SNAP_BYTES],
  ["UDP to a TCP trap", { protocol: UDP, destPort: 23 }, {}, 0],
  ["UDP, no ports", { protocol: UDP, destPort: 161, transportBytes: 3 }, {}, 0],
  ["SCTP INIT", { protocol: SCTP, destPort: 23 }, {}, SNAP_BYTES],
  ["SCTP DATA", { protocol: SCTP, destPort: 23, type: 0 }, {}, 0],
  ["SCTP INIT elsewhere", { protocol: SCTP, destPort: 161 }, {}, 0],
  ["another protocol", { protocol: 47, destPort: 23 }, {}, 0],
  ["ARP", { protocol: TCP, destPort: 23 }, { protocol: 0x0806 }, 0],
  ["nothing at all", { protocol: TCP }, { bytes: new Uint8Array() }, 0],
  ["IPv6 SYN", { family: 6, protocol: TCP, destPort: 23 }, {}, SNAP_BYTES],
  ["IPv6 ACK to ephemeral", { family: 6, protocol: TCP, destPort: 50000, flags: ACK }, {}, 0],
  ["IPv6 UDP", { family: 6, protocol: UDP, destPort: 161 }, {}, SNAP_BYTES],
  ["IPv6 SCTP", { family: 6, protocol: SCTP, destPort: 23 }, {}, SNAP_BYTES],
  ["IPv6 elsewhere", { family: 6, protocol: TCP, destPort: 24 }, {}, 0],
  ["IPv6 hop-by-hop", { family: 6, protocol: TCP, extension: 0 }, {}, SNAP_WHOLE],
  ["IPv6 routing", { family: 6, protocol: TCP, extension: 43 }, {}, SNAP_WHOLE],
  ["IPv6 destination options", { family: 6, protocol: TCP, extension: 60 }, {}, SNAP_WHOLE],
  ["IPv6 ESP", { family: 6, protocol: TCP, extension: 50 }, {}, 0],
  ["IPv6 first fragment", { family: 6, protocol: TCP, fragment: 1 }, {}, SNAP_WHOLE],
  ["IPv6 atomic fragment", { family: 6, protocol: TCP, fragment: 0 }, {}, SNAP_WHOLE],
  ["IPv6 later fragment", { family: 6, protocol: TCP, fragment: 8 }, {}, 0],
  [
    "first fragment with 8 bytes",
    {
      protocol: TCP,
      destPort: 23,
      fragment: 0x2000,
      transportBytes: 8,
    },
    {},
    SNAP_BYTES,
  ],
  ["the same elsewhere", { protocol: TCP, destPort: 24, fragment: 0x2000, transportBytes: 8 }, {}, 0],
  ["first UDP fragment", { protocol: UDP, destPort: 161, fragment: 0x2000 }, {}, SNAP_BYTES],
  [
    "first SCTP fragment",
    {
      protocol: SCTP,
      destPort: 23,
      fragment: 0x2000,
      transportBytes: 8,
    },
    {},
    SNAP_BYTES,
  ],
  ["first fragment of GRE", { protocol: 47, destPort: 23, fragment: 0x2000 }, {}, 0],
  ["later fragment", { protocol: TCP, destPort: 23, fragment: 1 }, {}, 0],
  ["middle fragment", { protocol: UDP, destPort: 161, fragment: 0x2001 }, {}, 0],
  ["echo request", { protocol: 1, type: 8 }, {}, SNAP_BYTES],
  ["timestamp request", { protocol: 1, type: 13 }, {}, SNAP_BYTES],
  ["information request", { protocol: 1, type: 15 }, {}, SNAP_BYTES],
  ["mask request", { protocol: 1, type: 17 }, {}, SNAP_BYTES],
  ["echo reply", { protocol: 1, type: 0 }, {}, 0],
  ["port unreachable", { protocol: 1, type: 3 }, {}, 0],
  ["IPv6 echo request", { family: 6, protocol: 58, type: 128 }, {}, SNAP_BYTES],
  ["IPv6 echo reply", { family: 6, protocol: 58, type: 129 }, {}, 0],
  ["neighbour solicitation", { family: 6, protocol: 58, type: 135 }, {}, 0],
  ["broadcast", { protocol: UDP, destPort: 161 }, { packetType: 1 }, 0],
  ["multicast", { protocol: UDP, destPort: 161 }, { packetType: 2 }, 0],
  ["somebody else's", { protocol: TCP, destPort: 23 }, { packetType: 3 }, 0],
  ["loopback", { protocol: TCP, destPort: 23 }, { deviceType: 772 }, 0],
  ["tunnel device", { protocol: TCP, destPort: 23 }, { deviceType: 65534 }, SNAP_BYTES],
  ["with its VLAN tag", { protocol: TCP, destPort: 23 }, { vlanTag: 10 }, 0],
  ["with a priority tag", { protocol: TCP, destPort: 23 }, { vlanTag: 0xe000 }, SNAP_BYTES],
  ["sent SYN", { protocol: TCP, sourcePort: 23, destPort: 23 }, { packetType: 4 }, 0],
  ["sent UDP from a trap", { protocol: UDP, sourcePort: 123, destPort: 5 }, { packetType: 4 }, SNAP_BYTES],
  ["sent UDP to a trap", { protocol: UDP, sourcePort: 5, destPort: 123 }, { packetType: 4 }, 0],
  ["sent later fragment", { protocol: UDP, sourcePort: 123, fragment: 5 }, { packetType: 4 }, 0],
  ["sent IPv6 UDP", { family: 6, protocol: UDP, sourcePort: 123 }, { packetType: 4 }, SNAP_BYTES],
  ["sent IPv6 UDP to a trap", { family: 6, protocol: UDP, destPort: 123 }, { packetType: 4 }, 0],
  ["sent ping", { protocol: 1, type: 8 }, { packetType: 4 }, 0],
];

for (const [name, options, link, expected] of CASES) {
  Deno.test(`compileTrap keeps ${expected} bytes of a packet that is ${name}`, () => {
    const program = compileTrap(SMALL, { ephemeral: EPHEMERAL });
    assert.equal(runProgram(program, seen(options, link)), expected);
  });
}

Deno.test("compileTrap drops every ICMP type when ICMP is not trapped", () => {
  const program = compileTrap({ ...SMALL, icmp: false }, { ephemeral: EPHEMERAL });
  for (let type = 0; type < 256; type++) {
    assert.equal(runProgram(program, seen({ protocol: 1, type })), 0);
    assert.equal(runProgram(program, seen({ family: 6, protocol: 58, type })), 0);
  }
});

Deno.test("compileTrap lets through exactly the trapped ports of each protocol and family", () => {
  for (const count of [0, 1, 7, 8, 9, 17, 300, 777, 1500]) {
    const traps = trap({
      tcp: everyNth(count, 0),
      udp: everyNth(Math.min(count, 700), 11),
      sctp: everyNth(Math.min(count, 20), 5),
    });
    const program = compileTrap(traps, { ephemeral: EPHEMERAL });
    assert.ok(program.length <= MAX_INSTRUCTIONS);
    for (const family of [4, 6] as const) {
      for (const [protocol, set] of [[TCP, traps.tcp], [UDP, traps.udp], [SCTP, traps.sctp]] as const) {
        assertExactly(program, { family, protocol, set });
      }
    }
  }
});

Deno.test("compileTrap agrees with the plain rule on any sets, flags and directions", () => {
  const port = fc.oneof(fc.nat(65535), fc.constantFrom(0, 1, 1023, 32767, 32768, 60999, 61000, 65535));
  const range = fc.tuple(port, fc.nat(300)).map(([first, more]) => ({
    first,
    last: Math.min(65535, first + more),
  }));
  const set = fc.array(range, { maxLength: 60 }).map((ranges) => new PortSet(ranges));
  const packet = fc.record({
    family: fc.constantFrom(4 as const, 6 as const),
    protocol: fc.constantFrom(TCP, UDP, SCTP),
    sourcePort: port,
    destPort: port,
    flags: fc.nat(255),
    type: fc.nat(2),
    packetType: fc.nat(4),
  });
  fc.assert(fc.property(set, set, set, fc.array(packet, { minLength: 20 }), (tcp, udp, sctp, packets) => {
    const traps = trap({ tcp, udp, sctp });
    const program = compileTrap(traps, { ephemeral: EPHEMERAL });
    for (const one of packets) {
      const kept = runProgram(program, seen(one, { packetType: one.packetType }));
      assert.equal(kept > 0, passes(traps, one), JSON.stringify(one));
    }
  }));
});

Deno.test("compileTrap lets more through, never less, when the ranges do not fit the limit", () => {
  const limit = instructionLimit(20480);
  const tcp = everyNth(5000, 1);
  const udp = everyNth(2000, 3);
  for (const sctp of [tcp, udp]) {
    const program = compileTrap(trap({ tcp, udp, sctp }), { ephemeral: EPHEMERAL, maxInstructions: limit });
    assert.ok(program.length <= limit, `${program.length} instructions`);
    assert.ok(program.length > limit / 2, `${program.length} of ${limit} instructions used`);
    for (const [protocol, set] of [[TCP, tcp], [UDP, udp], [SCTP, sctp]] as const) {
      for (const { first } of set.ranges()) {
        assert.ok(runProgram(program, seen({ protocol, destPort: first })) > 0, `${protocol} ${first}`);
      }
    }
  }
});

Deno.test("compileTrap closes narrow gaps and leaves wide ones", () => {
  const ranges: PortRange[] = [];
  for (let port = 100; port < 1100; port += 2) ranges.push({ first: port, last: port });
  const tcp = new PortSet([...ranges, { first: 50000, last: 50000 }]);
  const program = compileTrap(trap({ tcp }), { ephemeral: EPHEMERAL, maxInstructions: 120 });
  assert.ok(runProgram(program, seen({ protocol: TCP, destPort: 101 })) > 0);
  assert.equal(runProgram(program, seen({ protocol: TCP, destPort: 1200 })), 0);
  assert.equal(runProgram(program, seen({ protocol: TCP, destPort: 49999 })), 0);
});

Deno.test("compileTrap says so when not even single ranges fit", () => {
  assert.throws(() => compileTrap(SMALL, { ephemeral: EPHEMERAL, maxInstructions: 40 }), RangeError);
});

Deno.test("instructionLimit leaves room for two filters, and never exceeds the kernel's own limit", () => {
  assert.equal(instructionLimit(20480), 853);
  assert.equal(instructionLimit(131072), MAX_INSTRUCTIONS);
});

/** `count` separate ranges spread over all ports, every tenth of them four ports wide. */
function everyNth(count: number, shift: number): PortSet {
  const step = Math.floor(65536 / Math.max(count, 1));
  return new PortSet(
    Array.from({ length: count }, (_, i) => {
      const first = i * step + Math.min(shift, step - 5);
      return { first, last: i % 10 === 0 ? first + 3 : first };
    }),
  );
}

function assertExactly(
  program: ReturnType<typeof compileTrap>,
  of: { readonly family: 4 | 6; readonly protocol: number; readonly set: PortSet },
): void {
  const packet = seen(of);
  const at = of.family === 4 ? 22 : 42;
  const wrong: number[] = [];
  for (let port = 0; port < 65536; port++) {
    packet.bytes[at] = port >> 8;
    packet.bytes[at + 1] = port & 255;
    if ((runProgram(program, packet) > 0) !== of.set.has(port)) wrong.push(port);
  }
  assert.deepEqual(wrong, []);
}

interface ModelPacket {
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destPort: number;
  readonly flags: number;
  readonly type: number;
  readonly packetType: number;
}

/** The rule in plain words. */
function passes(traps: Trap, packet: ModelPacket): boolean {
  if (packet.packetType === 4) return packet.protocol === UDP && traps.udp.has(packet.sourcePort);
  if (packet.packetType !== 0) return false;
  if (packet.protocol === UDP) return traps.udp.has(packet.destPort);
  if (packet.protocol === SCTP) return packet.type === 1 && traps.sctp.has(packet.destPort);
  const answer = (packet.flags & (SYN | ACK)) === (SYN | ACK);
  if ((packet.flags & RST) !== 0 || answer) return false;
  const download = (packet.flags & ACK) !== 0 &&
    packet.destPort >= EPHEMERAL.first && packet.destPort <= EPHEMERAL.last;
  return !download && traps.tcp.has(packet.destPort);
}
