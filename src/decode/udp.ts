/**
 * The UDP header (RFC 768).
 * @module
 */
import { type UdpPacket, type UnknownPacket, unknownPacket } from "./packet.ts";
import { type Segment, uint16 } from "./segment.ts";

const HEADER_BYTES = 8;

/** Decode a UDP datagram. */
export function decodeUdp(segment: Segment): UdpPacket | UnknownPacket {
  const { bytes, start, end, envelope } = segment;
  if (end - start < HEADER_BYTES) return unknownPacket("bad-length");
  if (bytes.length < start + HEADER_BYTES) return unknownPacket("truncated");
  const length = uint16(bytes, start + 4);
  // 0 is a jumbogram (RFC 2675) and only legal over IPv6; Linux takes it for "the whole packet" there.
  const whole = length === 0 || envelope.fragmented;
  if ((length !== 0 && length < HEADER_BYTES) || (!whole && length > end - start)) {
    return unknownPacket("bad-length");
  }
  return {
    kind: "udp",
    source: envelope.source,
    dest: envelope.dest,
    hasOptions: envelope.hasOptions,
    fragmented: envelope.fragmented,
    sourcePort: uint16(bytes, start),
    destPort: uint16(bytes, start + 2),
  };
}
