/**
 * The IPv6 header and the extension headers behind it (RFC 8200).
 * @module
 */
import { addressFromBytes, familyOf } from "../net/address.ts";
import { IPPROTO } from "../net/protocol.ts";
import { type Packet, unknownPacket } from "./packet.ts";
import { uint16 } from "./segment.ts";
import { decodeTransport } from "./transport.ts";

const HEADER_BYTES = 40;
/** Honest packets have at most five (RFC 8200, section 4.1); each costs a step, so there is an end to it. */
const MAX_EXTENSION_HEADERS = 64;
const ICMP = { icmp: IPPROTO.icmpv6 } as const;

/** Where the walk over the extension headers is. */
interface Walk {
  /** The type of the header at `start`. */
  protocol: number;
  /** Where that header begins. */
  start: number;
  /** Whether an options or routing header was passed. */
  hasOptions: boolean;
  /** Whether this is the first of several fragments. */
  fragmented: boolean;
}

/** Decode an IPv6 packet. `wireLength` is what was on the wire, link-layer padding included. */
export function decodeIpv6(bytes: Uint8Array, wireLength: number): Packet {
  if (bytes.length < HEADER_BYTES) return unknownPacket("truncated");
  const payload = uint16(bytes, 4);
  // 0 is a jumbogram (RFC 2675), or a packet that segmentation offload has not cut up yet.
  const end = payload === 0 ? wireLength : HEADER_BYTES + payload;
  if (end > wireLength) return unknownPacket("bad-length");
  const source = addressFromBytes(bytes, 8, 6);
  const dest = addressFromBytes(bytes, 24, 6);
  if (familyOf(source) === 4 || familyOf(dest) === 4) return unknownPacket("mapped-address");
  const walk: Walk = { protocol: bytes[6] ?? 0, start: HEADER_BYTES, hasOptions: false, fragmented: false };
  for (let passed = 0; isExtension(walk.protocol); passed++) {
    if (passed === MAX_EXTENSION_HEADERS) return unknownPacket("extension-headers");
    if (walk.start + 8 > end) return unknownPacket("bad-length");
    if (walk.start + 8 > bytes.length) return unknownPacket("truncated");
    if (!pass(walk, bytes)) return unknownPacket("later-fragment");
  }
  if (walk.start > end) return unknownPacket("bad-length");
  const envelope = { source, dest, hasOptions: walk.hasOptions, fragmented: walk.fragmented };
  return decodeTransport({ envelope, bytes, start: walk.start, end }, walk.protocol, ICMP);
}

/** Step over one header, the smallest of which has a length byte of 0. @returns False for a later fragment. */
function pass(walk: Walk, bytes: Uint8Array): boolean {
  const lengthByte = bytes[walk.start + 1] ?? 0;
  const next = bytes[walk.start] ?? 0;
  switch (walk.protocol) {
    case IPPROTO.fragment: {
      const field = uint16(bytes, walk.start + 2);
      if (field >>> 3 !== 0) return false;
      if ((field & 1) !== 0) walk.fragmented = true;
      walk.start += 8;
      break;
    }
    case IPPROTO.authentication:
      // In 4-byte units, minus 2 (RFC 4302, section 2.2), unlike every other header.
      walk.start += (lengthByte + 2) * 4;
      break;
    default:
      walk.hasOptions = true;
      walk.start += (lengthByte + 1) * 8;
  }
  walk.protocol = next;
  return true;
}

function isExtension(protocol: number): boolean {
  switch (protocol) {
    case IPPROTO.hopOptions:
    case IPPROTO.routing:
    case IPPROTO.fragment:
    case IPPROTO.authentication:
    case IPPROTO.destinationOptions:
    case IPPROTO.mobility:
    case IPPROTO.hip:
    case IPPROTO.shim6:
      return true;
    default:
      return false;
  }
}
