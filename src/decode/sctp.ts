/**
 * The SCTP common header and its first chunk (RFC 9260, section 3).
 * @module
 */
import { type SctpPacket, type UnknownPacket, unknownPacket } from "./packet.ts";
import { type Segment, uint16 } from "./segment.ts";

const HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 4;

/** Decode an SCTP packet. */
export function decodeSctp(segment: Segment): SctpPacket | UnknownPacket {
  const { bytes, start, end, envelope } = segment;
  if (end - start < HEADER_BYTES + CHUNK_HEADER_BYTES) return unknownPacket("bad-length");
  if (bytes.length < start + HEADER_BYTES + 1) return unknownPacket("truncated");
  return {
    kind: "sctp",
    source: envelope.source,
    dest: envelope.dest,
    hasOptions: envelope.hasOptions,
    fragmented: envelope.fragmented,
    sourcePort: uint16(bytes, start),
    destPort: uint16(bytes, start + 2),
    chunkType: bytes[start + HEADER_BYTES] ?? 0,
  };
}
