/**
 * Which decoder reads what follows the network headers.
 * @module
 */
import { IPPROTO } from "../net/protocol.ts";
import { decodeIcmp } from "./icmp.ts";
import { type Packet, unknownPacket } from "./packet.ts";
import { decodeSctp } from "./sctp.ts";
import type { Segment } from "./segment.ts";
import { decodeTcp } from "./tcp.ts";
import { decodeUdp } from "./udp.ts";

/**
 * Decode a transport protocol.
 *
 * @param protocol The IP protocol number.
 * @param icmp The protocol number that ICMP has in this version of IP; the other version's means nothing here.
 */
export function decodeTransport(
  segment: Segment,
  protocol: number,
  { icmp }: { readonly icmp: number },
): Packet {
  switch (protocol) {
    case IPPROTO.tcp:
      return decodeTcp(segment);
    case IPPROTO.udp:
      return decodeUdp(segment);
    case IPPROTO.sctp:
      return decodeSctp(segment);
    case IPPROTO.esp:
      return unknownPacket("encrypted");
    default:
      return protocol === icmp ? decodeIcmp(segment) : unknownPacket("other-protocol");
  }
}
