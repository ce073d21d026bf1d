/**
 * The IPv4 header (RFC 791).
 * @module
 */
import { addressFromBytes } from "../net/address.ts";
import { IPPROTO } from "../net/protocol.ts";
import { type Packet, unknownPacket } from "./packet.ts";
import { uint16 } from "./segment.ts";
import { decodeTransport } from "./transport.ts";

const MIN_HEADER_BYTES = 20;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;
const ICMP = { icmp: IPPROTO.icmp } as const;

/** Decode an IPv4 packet. `wireLength` is what was on the wire, link-layer padding included. */
export function decodeIpv4(bytes: Uint8Array, wireLength: number): Packet {
  if (bytes.length < MIN_HEADER_BYTES) return unknownPacket("truncated");
  const headerBytes = ((bytes[0] ?? 0) & 15) * 4;
  const written = uint16(bytes, 2);
  // 0 is what segmentation offload leaves in a packet that the kernel has not cut up yet.
  const end = written === 0 ? wireLength : written;
  // Linux drops all of these unseen (ip_rcv), so whoever sends them learns nothing.
  if (headerBytes < MIN_HEADER_BYTES || headerBytes > end || end > wireLength) {
    return unknownPacket("bad-length");
  }
  if (bytes.length < headerBytes) return unknownPacket("truncated");
  const fragment = uint16(bytes, 6);
  if ((fragment & OFFSET_MASK) !== 0) return unknownPacket("later-fragment");
  const envelope = {
    source: addressFromBytes(bytes, 12, 4),
    dest: addressFromBytes(bytes, 16, 4),
    hasOptions: headerBytes > MIN_HEADER_BYTES,
    fragmented: (fragment & MORE_FRAGMENTS) !== 0,
  };
  return decodeTransport({ envelope, bytes, start: headerBytes, end }, bytes[9] ?? 0, ICMP);
}
