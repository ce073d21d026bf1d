/**
 * A packet that has been taken apart: what the bytes say, without any opinion.
 * @module
 */
import type { Address } from "../net/address.ts";

export { TCP_FLAG } from "../net/tcp_flag.ts";

/** What the network header says, whichever of the two it is. */
export interface Envelope {
  /** Who claims to have sent it. */
  readonly source: Address;
  /** Whom it is for. */
  readonly dest: Address;
  /** Whether the IPv4 header carries options (IPv6: a hop-by-hop, destination or routing header). */
  readonly hasOptions: boolean;
  /** Whether this is the first of several fragments. */
  readonly fragmented: boolean;
}

/** A TCP segment. */
export interface TcpPacket extends Envelope {
  /** The tag. */
  readonly kind: "tcp";
  /** The port it came from. */
  readonly sourcePort: number;
  /** The port it is for. */
  readonly destPort: number;
  /** Bits of {@link TCP_FLAG}; `undefined` in a first fragment so small that they are in the next one. */
  readonly flags: number | undefined;
  /** Bytes of data that the segment had on the wire (in this fragment). */
  readonly payloadBytes: number;
}

/** A UDP datagram. */
export interface UdpPacket extends Envelope {
  /** The tag. */
  readonly kind: "udp";
  /** The port it came from. */
  readonly sourcePort: number;
  /** The port it is for. */
  readonly destPort: number;
}

/** An SCTP packet (RFC 9260). */
export interface SctpPacket extends Envelope {
  /** The tag. */
  readonly kind: "sctp";
  /** The port it came from. */
  readonly sourcePort: number;
  /** The port it is for. */
  readonly destPort: number;
  /** Type of the first chunk, see {@link SCTP_CHUNK}. */
  readonly chunkType: number;
}

/** The SCTP chunk types that matter here (RFC 9260, section 3.2). */
export const SCTP_CHUNK = { init: 1, abort: 6 } as const;

/** An ICMP or ICMPv6 message. */
export interface IcmpPacket extends Envelope {
  /** The tag. */
  readonly kind: "icmp";
  /** Type field, of ICMP or ICMPv6 according to the family of the addresses. */
  readonly type: number;
  /** Code field. */
  readonly code: number;
}

/** Why bytes were not understood. A counter each; never an exception. */
export const UNKNOWN_REASONS = [
  /** Neither version 4 nor version 6. */
  "not-ip",
  /** The capture holds less of the packet than its headers need. */
  "truncated",
  /** A length field contradicts another one, or the packet on the wire. */
  "bad-length",
  /** An IPv6 header with an IPv4-mapped address: never on a wire, except to get an IPv4 address blamed. */
  "mapped-address",
  /** A fragment that is not the first: it has no transport header. */
  "later-fragment",
  /** More IPv6 extension headers than anybody honest sends. */
  "extension-headers",
  /** ESP: what is inside cannot be seen. */
  "encrypted",
  /** A protocol that has no ports to scan. */
  "other-protocol",
] as const;

/** Why bytes were not understood. */
export type UnknownReason = (typeof UNKNOWN_REASONS)[number];

/** Bytes that are no packet we look at. */
export interface UnknownPacket {
  /** The tag. */
  readonly kind: "unknown";
  /** Why. */
  readonly reason: UnknownReason;
}

/** What the decoder makes of any bytes. */
export type Packet = TcpPacket | UdpPacket | SctpPacket | IcmpPacket | UnknownPacket;

/** The one value for each reason, so that a flood of nonsense allocates nothing. */
const UNKNOWN: Readonly<Record<UnknownReason, UnknownPacket>> = {
  "not-ip": { kind: "unknown", reason: "not-ip" },
  "truncated": { kind: "unknown", reason: "truncated" },
  "bad-length": { kind: "unknown", reason: "bad-length" },
  "mapped-address": { kind: "unknown", reason: "mapped-address" },
  "later-fragment": { kind: "unknown", reason: "later-fragment" },
  "extension-headers": { kind: "unknown", reason: "extension-headers" },
  "encrypted": { kind: "unknown", reason: "encrypted" },
  "other-protocol": { kind: "unknown", reason: "other-protocol" },
};

/** Bytes that were not understood for this reason. */
export function unknownPacket(reason: UnknownReason): UnknownPacket {
  return UNKNOWN[reason];
}
