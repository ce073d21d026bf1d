/**
 * The header that ICMP (RFC 792) and ICMPv6 (RFC 4443) share.
 * @module
 */
import { type IcmpPacket, type UnknownPacket, unknownPacket } from "./packet.ts";
import type { Segment } from "./segment.ts";

const HEADER_BYTES = 8;
const CODE_END = 2;

/** Decode an ICMP or ICMPv6 message. */
export function decodeIcmp(segment: Segment): IcmpPacket | UnknownPacket {
  const { bytes, start, end, envelope } = segment;
  if (end - start < HEADER_BYTES) return unknownPacket("bad-length");
  if (bytes.length < start + CODE_END) return unknownPacket("truncated");
  return {
    kind: "icmp",
    source: envelope.source,
    dest: envelope.dest,
    hasOptions: envelope.hasOptions,
    fragmented: envelope.fragmented,
    type: bytes[start] ?? 0,
    code: bytes[start + 1] ?? 0,
  };
}
