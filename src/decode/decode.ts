/**
 * Stage "understand", first half: the bytes of an IP packet become a {@link Packet}.
 *
 * No bytes make this throw. Lengths are checked before anything is read, and what contradicts itself is unknown.
 * @module
 */
import { decodeIpv4 } from "./ipv4.ts";
import { decodeIpv6 } from "./ipv6.ts";
import { type Packet, unknownPacket } from "./packet.ts";

/**
 * Decode an IP packet.
 *
 * @param bytes From the IP header on, possibly cut short.
 * @param wireLength How long the packet was on the wire. Default: nothing was cut off.
 */
export function decodePacket(bytes: Uint8Array, wireLength: number = bytes.length): Packet {
  switch ((bytes[0] ?? 0) >>> 4) {
    case 4:
      return decodeIpv4(bytes, Math.max(wireLength, bytes.length));
    case 6:
      return decodeIpv6(bytes, Math.max(wireLength, bytes.length));
    default:
      return unknownPacket(bytes.length === 0 ? "truncated" : "not-ip");
  }
}
