/**
 * Turns a trap into the classic BPF program that lets the kernel hand over only packets that matter.
 *
 * The program is a sieve, not a judge: what it lets through is decoded and checked again in user space. What it drops
 * is gone, so where it cannot know it lets packets through.
 * @module
 */
import type { Trap } from "../config/trap.ts";
import {
  ANCILLARY,
  BPF,
  BpfAssembler,
  type BpfProgram,
  type Label,
  MAX_INSTRUCTIONS,
  PACKET_TYPE,
} from "../net/bpf.ts";
import type { PortRange } from "../net/ports.ts";
import { ICMP_REQUESTS, IPPROTO } from "../net/protocol.ts";
import { placePortTree } from "./port_tree.ts";
import { closeGaps, sameRanges, type TrapRanges } from "./trap_ranges.ts";
import { TCP_FLAG } from "../net/tcp_flag.ts";

/** Bytes kept of an ordinary packet: room for every IPv4 option, or for 116 bytes behind an IPv6 and a TCP header. */
export const SNAP_BYTES = 176;
/** Kept of a packet with IPv6 extension headers, which can put 2 KiB between the address and the port (RFC 8200). */
export const SNAP_WHOLE = 0xffff;

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ARPHRD_LOOPBACK = 772;
const VLAN_ID_MASK = 0x0fff;
const IPV4_OFFSET_MASK = 0x1fff;
const IPV4_MORE_FRAGMENTS = 0x2000;
const IPV6_HEADER_BYTES = 40;
const SCTP_INIT = 1;
/** Headers that Linux walks over to find the port. Behind AH or ESP nothing can be reached without a shared key. */
const EXTENSION_HEADERS = [
  IPPROTO.hopOptions,
  IPPROTO.routing,
  IPPROTO.destinationOptions,
  IPPROTO.mobility,
  IPPROTO.hip,
  IPPROTO.shim6,
];

/** Options of {@link compileTrap}. */
export interface TrapFilterOptions {
  /**
   * The ports that this host connects from. Segments with ACK to them are dropped: they belong to downloads, which
   * must not cost anything. An ACK scan of these ports is therefore not seen.
   */
  readonly ephemeral: PortRange;
  /** Longest program allowed, see {@link instructionLimit}. Default: what the kernel allows at all. */
  readonly maxInstructions?: number;
}

/**
 * The longest program that can also be replaced while it is in use.
 *
 * The kernel charges old and new filter to the socket at once, against net.core.optmem_max (20480 before Linux 6.7).
 * 12 bytes an instruction is a little more than what was measured (20480 took 887 and refused 1015).
 */
export function instructionLimit(optmemMaxBytes: number): number {
  return Math.min(MAX_INSTRUCTIONS, Math.floor(optmemMaxBytes / 2 / 12));
}

/**
 * The program for a trap.
 *
 * With too many ranges for `maxInstructions` the narrowest gaps between them are closed: the program then lets
 * through packets to ports that are not trapped, never the other way round.
 *
 * @throws {RangeError} When even one range for each protocol does not fit.
 */
export function compileTrap(trap: Trap, options: TrapFilterOptions): BpfProgram {
  const limit = options.maxInstructions ?? MAX_INSTRUCTIONS;
  const exact: TrapRanges = { tcp: trap.tcp.ranges(), udp: trap.udp.ranges(), sctp: trap.sctp.ranges() };
  let closed = 0;
  for (;;) {
    const program = build(closeGaps(exact, closed), trap.icmp, options.ephemeral);
    if (program.length <= limit) return program;
    if (closed > exact.tcp.length + exact.udp.length + exact.sctp.length) {
      throw new RangeError(`The trap needs ${program.length} BPF instructions, allowed are ${limit}`);
    }
    closed += Math.ceil((program.length - limit) / 2);
  }
}

/** The labels that the parts of the program share. */
interface Parts {
  readonly outgoing: Label;
  readonly transport: Label;
  readonly tcp: Label;
  readonly tcpPort: Label;
  readonly tcpTree: Label;
  readonly udp: Label;
  readonly udpTree: Label;
  readonly sctp: Label;
  readonly sctpPort: Label;
  readonly icmp: Label;
  readonly icmpv6: Label;
  readonly accept: Label;
  readonly whole: Label;
  readonly drop: Label;
}

function build(ranges: TrapRanges, icmp: boolean, ephemeral: PortRange): BpfProgram {
  const asm = new BpfAssembler();
  const label = () => asm.label();
  const parts: Parts = {
    outgoing: label(),
    transport: label(),
    tcp: label(),
    tcpPort: label(),
    tcpTree: label(),
    udp: label(),
    udpTree: label(),
    sctp: label(),
    sctpPort: label(),
    icmp: label(),
    icmpv6: label(),
    accept: label(),
    whole: label(),
    drop: label(),
  };
  placeLink(asm, parts);
  placeIpv4(asm, parts);
  placeIpv6(asm, parts);
  placeTransport(asm, parts, icmp);
  placeOutgoing(asm, parts);
  asm.place(parts.accept);
  asm.ret(SNAP_BYTES);
  asm.place(parts.whole);
  asm.ret(SNAP_WHOLE);
  asm.place(parts.drop);
  asm.ret(0);
  placePorts(asm, parts, { ranges, ephemeral });
  return asm.assemble();
}

/** Which packets are looked at at all: unicast to this host, or its own; each once. */
function placeLink(asm: BpfAssembler, parts: Parts): void {
  const { drop } = parts;
  // The host talking to itself is never evidence.
  asm.op(BPF.ld, ANCILLARY.deviceType);
  asm.test(BPF.jeq, ARPHRD_LOOPBACK, { then: drop });
  // A tagged packet passes twice: here with its tag, and again on the VLAN interface without. A priority tag (VLAN 0)
  // has no interface of its own.
  const untagged = asm.label();
  asm.op(BPF.ld, ANCILLARY.vlanTagPresent);
  asm.test(BPF.jeq, 0, { then: untagged });
  asm.op(BPF.ld, ANCILLARY.vlanTag);
  asm.test(BPF.jset, VLAN_ID_MASK, { then: drop });
  asm.place(untagged);
  asm.op(BPF.ld, ANCILLARY.packetType);
  asm.test(BPF.jeq, PACKET_TYPE.outgoing, { then: parts.outgoing });
  asm.test(BPF.jeq, PACKET_TYPE.host, { else: drop });
}

/** To the transport header with its protocol in A and its offset in X. */
function placeIpv4(asm: BpfAssembler, parts: Parts): void {
  const other = asm.label();
  const whole = asm.label();
  asm.op(BPF.ldh, ANCILLARY.protocol);
  asm.test(BPF.jeq, ETH_P_IP, { else: other });
  asm.op(BPF.ldh, 6);
  asm.test(BPF.jset, IPV4_OFFSET_MASK, { then: parts.drop });
  asm.test(BPF.jset, IPV4_MORE_FRAGMENTS, { else: whole });
  // A first fragment comes here only where the kernel could not reassemble. It may end before the TCP flags (nmap -f)
  // or the SCTP chunk: the port decides.
  asm.op(BPF.ldxmsh, 0);
  asm.op(BPF.ldb, 9);
  asm.test(BPF.jeq, IPPROTO.tcp, { then: parts.tcpPort });
  asm.test(BPF.jeq, IPPROTO.sctp, { then: parts.sctpPort });
  asm.test(BPF.jeq, IPPROTO.udp, { then: parts.udp, else: parts.drop });
  asm.place(whole);
  asm.op(BPF.ldxmsh, 0);
  asm.op(BPF.ldb, 9);
  asm.goto(parts.transport);
  asm.place(other);
}

/** As for IPv4; A still holds the Ethernet protocol. Extension headers are left to the decoder, with all bytes. */
function placeIpv6(asm: BpfAssembler, parts: Parts): void {
  const unfragmented = asm.label();
  asm.test(BPF.jeq, ETH_P_IPV6, { else: parts.drop });
  asm.op(BPF.ldx, IPV6_HEADER_BYTES);
  asm.op(BPF.ldb, 6);
  asm.test(BPF.jeq, IPPROTO.fragment, { else: unfragmented });
  // Only the first fragment can hold a port.
  asm.op(BPF.ldh, IPV6_HEADER_BYTES + 2);
  asm.test(BPF.jset, 0xfff8, { then: parts.drop, else: parts.whole });
  asm.place(unfragmented);
  for (const header of EXTENSION_HEADERS) asm.test(BPF.jeq, header, { then: parts.whole });
  asm.place(parts.transport);
}

/** The kind of packet; shared by IPv4 and IPv6. */
function placeTransport(asm: BpfAssembler, parts: Parts, icmp: boolean): void {
  asm.test(BPF.jeq, IPPROTO.tcp, { then: parts.tcp });
  asm.test(BPF.jeq, IPPROTO.udp, { then: parts.udp });
  asm.test(BPF.jeq, IPPROTO.sctp, { then: parts.sctp });
  if (!icmp) return asm.goto(parts.drop);
  asm.test(BPF.jeq, IPPROTO.icmp, { then: parts.icmp });
  asm.test(BPF.jeq, IPPROTO.icmpv6, { then: parts.icmpv6, else: parts.drop });
  for (
    const [label, types] of [[parts.icmp, ICMP_REQUESTS[4]], [parts.icmpv6, ICMP_REQUESTS[6]]] as const
  ) {
    asm.place(label);
    asm.op(BPF.ldbx, 0);
    for (const type of types) asm.test(BPF.jeq, type, { then: parts.accept });
    asm.goto(parts.drop);
  }
}

/** UDP that this host sends from a trapped port: what comes back to it is an answer. */
function placeOutgoing(asm: BpfAssembler, parts: Parts): void {
  const ipv6 = asm.label();
  const udp = asm.label();
  asm.place(parts.outgoing);
  asm.op(BPF.ldh, ANCILLARY.protocol);
  asm.test(BPF.jeq, ETH_P_IP, { else: ipv6 });
  asm.op(BPF.ldh, 6);
  asm.test(BPF.jset, IPV4_OFFSET_MASK, { then: parts.drop });
  asm.op(BPF.ldxmsh, 0);
  asm.op(BPF.ldb, 9);
  asm.test(BPF.jeq, IPPROTO.udp, { then: udp, else: parts.drop });
  asm.place(ipv6);
  asm.test(BPF.jeq, ETH_P_IPV6, { else: parts.drop });
  asm.op(BPF.ldx, IPV6_HEADER_BYTES);
  asm.op(BPF.ldb, 6);
  asm.test(BPF.jeq, IPPROTO.udp, { else: parts.drop });
  asm.place(udp);
  asm.op(BPF.ldhx, 0);
  asm.goto(parts.udpTree);
}

/** The transport protocols down to their ports. */
function placePorts(
  asm: BpfAssembler,
  parts: Parts,
  spec: { readonly ranges: TrapRanges; readonly ephemeral: PortRange },
): void {
  const drop = asm.label();
  const { ranges, ephemeral } = spec;
  const shared = sameRanges(ranges.tcp, ranges.sctp);
  asm.place(parts.sctp);
  asm.op(BPF.ldbx, 12);
  asm.test(BPF.jeq, SCTP_INIT, { else: drop });
  asm.place(parts.sctpPort);
  asm.op(BPF.ldhx, 2);
  if (shared) asm.goto(parts.tcpTree);
  else placePortTree(asm, ranges.sctp, SNAP_BYTES);

  asm.place(parts.tcp);
  asm.op(BPF.ldbx, 13);
  // RST never opens or probes anything; SYN/ACK answers something, or is backscatter of a forged flood.
  asm.test(BPF.jset, TCP_FLAG.rst, { then: drop });
  asm.op(BPF.and, TCP_FLAG.syn | TCP_FLAG.ack);
  asm.test(BPF.jeq, TCP_FLAG.syn | TCP_FLAG.ack, { then: drop });
  asm.test(BPF.jset, TCP_FLAG.ack, { else: parts.tcpPort });
  asm.op(BPF.ldhx, 2);
  asm.test(BPF.jge, ephemeral.first, { else: parts.tcpTree });
  asm.test(BPF.jgt, ephemeral.last, { then: parts.tcpTree });
  asm.place(drop);
  asm.ret(0);
  asm.place(parts.tcpPort);
  asm.op(BPF.ldhx, 2);
  asm.place(parts.tcpTree);
  placePortTree(asm, ranges.tcp, SNAP_BYTES);

  asm.place(parts.udp);
  asm.op(BPF.ldhx, 2);
  asm.place(parts.udpTree);
  placePortTree(asm, ranges.udp, SNAP_BYTES);
}
