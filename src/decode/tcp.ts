/**
 * The TCP header (RFC 9293, section 3.1).
 * @module
 */
import { type TcpPacket, type UnknownPacket, unknownPacket } from "./packet.ts";
import { type Segment, uint16 } from "./segment.ts";

const MIN_HEADER_BYTES = 20;
const PORTS_BYTES = 4;
const FLAGS_END = 14;

/** Decode a TCP segment. */
export function decodeTcp(segment: Segment): TcpPacket | UnknownPacket {
  const { bytes, start, end, envelope } = segment;
  const length = end - start;
  if (length < MIN_HEADER_BYTES) return envelope.fragmented ? decodeTinyFragment(segment) : bad(segment);
  if (bytes.length < start + FLAGS_END) return unknownPacket("truncated");
  const headerBytes = ((bytes[start + 12] ?? 0) >>> 4) * 4;
  if (headerBytes < MIN_HEADER_BYTES) return unknownPacket("bad-length");
  // Options may reach into the next fragment, but not beyond a whole packet (Linux: tcp_v4_rcv drops it).
  if (headerBytes > length && !envelope.fragmented) return unknownPacket("bad-length");
  return {
    kind: "tcp",
    source: envelope.source,
    dest: envelope.dest,
    hasOptions: envelope.hasOptions,
    fragmented: envelope.fragmented,
    sourcePort: uint16(bytes, start),
    destPort: uint16(bytes, start + 2),
    flags: bytes[start + 13] ?? 0,
    payloadBytes: Math.max(0, length - headerBytes),
  };
}

/**
 * `nmap -f` sends 8 bytes of TCP header in the first fragment. No honest stack cuts a header in two (RFC 1858,
 * section 3; RFC 7112), so the ports alone say enough.
 */
function decodeTinyFragment(segment: Segment): TcpPacket | UnknownPacket {
  const { bytes, start, end, envelope } = segment;
  if (end - start < PORTS_BYTES) return unknownPacket("bad-length");
  if (bytes.length < start + PORTS_BYTES) return unknownPacket("truncated");
  const flagsSeen = end - start >= FLAGS_END && bytes.length >= start + FLAGS_END;
  return {
    kind: "tcp",
    source: envelope.source,
    dest: envelope.dest,
    hasOptions: envelope.hasOptions,
    fragmented: true,
    sourcePort: uint16(bytes, start),
    destPort: uint16(bytes, start + 2),
    flags: flagsSeen ? bytes[start + 13] : undefined,
    payloadBytes: 0,
  };
}

function bad(segment: Segment): UnknownPacket {
  return unknownPacket(segment.bytes.length < segment.end ? "truncated" : "bad-length");
}
