/**
 * The messages of rtnetlink(7) as bytes: the addresses of interfaces, and the routes that lead out.
 * @module
 */
import { AF } from "../ffi/socket_address.ts";
import { type Address, addressFromBytes, type Family } from "../net/address.ts";
import { findAttribute, readAttributes } from "../net/netlink_message.ts";

/** Message types (linux/rtnetlink.h). */
export const RTM = {
  newAddress: 20,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
} as const;

/**
 * Multicast groups (linux/rtnetlink.h). Links too, because IPv4 routes vanish with their link without an event of their
 * own; nexthops, because a route follows its nexthop object without one.
 */
export const RTNLGRP = {
  link: 1,
  ipv4Address: 5,
  ipv4Route: 7,
  ipv6Address: 9,
  ipv6Route: 11,
  nexthop: 32,
} as const;

/** struct ifaddrmsg (linux/if_addr.h): u8 family @0, u8 prefixlen @1, u8 flags @2, u8 scope @3, u32 index @4. */
const IFADDRMSG_BYTES = 8;
/** struct rtmsg: u8 family @0, u8 dst_len @1, …, u8 table @4, u8 type @7, u32 flags @8. */
const RTMSG_BYTES = 12;
/** struct rtnexthop: u16 len @0, u8 flags @2, u8 hops @3, s32 ifindex @4. */
const RTNEXTHOP_BYTES = 8;
const IFA = { address: 1, local: 2 } as const;
const RTA = { gateway: 5, multipath: 9, via: 18 } as const;
const RTN_UNICAST = 1;
/** A host with more hops to the same place is no host. */
const MAX_NEXTHOPS = 256;

/** A question for every address or route of a family: the first byte of either header is the family. */
export function dumpRequest(type: typeof RTM.getAddress | typeof RTM.getRoute, family: Family): Uint8Array {
  const bytes = new Uint8Array(type === RTM.getAddress ? IFADDRMSG_BYTES : RTMSG_BYTES);
  bytes[0] = family === 4 ? AF.inet : AF.inet6;
  return bytes;
}

/** The address in the payload of an address message, or `undefined` when it holds none. */
export function readInterfaceAddress(payload: Uint8Array<ArrayBuffer>): Address | undefined {
  const family = familyNumber(payload, IFADDRMSG_BYTES);
  if (family === undefined) return undefined;
  // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL this one; IPv6 mostly has IFA_ADDRESS alone.
  return readAddress(findAttribute(payload, IFA.local, IFADDRMSG_BYTES), family) ??
    readAddress(findAttribute(payload, IFA.address, IFADDRMSG_BYTES), family);
}

/**
 * The gateways of a route that leads to most of the world, from the payload of a route message; empty for other routes.
 *
 * Besides the default route these are the halves and quarters of it that VPN software sets in its stead (0.0.0.0/1 and
 * 128.0.0.0/1), and 2000::/3.
 */
export function readDefaultGateways(payload: Uint8Array<ArrayBuffer>): readonly Address[] {
  const family = familyNumber(payload, RTMSG_BYTES);
  if (family === undefined || payload[7] !== RTN_UNICAST) return [];
  if ((payload[1] ?? 128) > (family === 4 ? 2 : 3)) return [];
  const gateways = [...gatewayOf(payload, { offset: RTMSG_BYTES, family })];
  const multipath = findAttribute(payload, RTA.multipath, RTMSG_BYTES);
  for (let at = 0, hops = 0; multipath !== undefined && hops < MAX_NEXTHOPS; hops++) {
    if (at + RTNEXTHOP_BYTES > multipath.length) break;
    const length = (multipath[at] ?? 0) | ((multipath[at + 1] ?? 0) << 8);
    if (length < RTNEXTHOP_BYTES || at + length > multipath.length) break;
    gateways.push(...gatewayOf(multipath.subarray(at, at + length), { offset: RTNEXTHOP_BYTES, family }));
    at += (length + 3) & ~3;
  }
  return gateways;
}

/** Whether the payload of a route message is of a route that {@link readDefaultGateways} would look at. */
export function leadsOut(payload: Uint8Array<ArrayBuffer>): boolean {
  const family = familyNumber(payload, RTMSG_BYTES);
  return family !== undefined && (payload[1] ?? 128) <= (family === 4 ? 2 : 3);
}

function* gatewayOf(
  bytes: Uint8Array<ArrayBuffer>,
  place: { readonly offset: number; readonly family: Family },
): Iterable<Address> {
  for (const attribute of readAttributes(bytes, place.offset)) {
    const gateway = attribute.type === RTA.gateway
      ? readAddress(attribute.value, place.family)
      : attribute.type === RTA.via
      ? readVia(attribute.value)
      : undefined;
    if (gateway !== undefined) yield gateway;
  }
}

/** struct rtvia: u16 family, then the address; an IPv4 route by way of an IPv6 router (RFC 5549). */
function readVia(value: Uint8Array<ArrayBuffer>): Address | undefined {
  const family = value[0] === AF.inet ? 4 : value[0] === AF.inet6 ? 6 : undefined;
  return family === undefined ? undefined : readAddress(value.subarray(2), family);
}

function readAddress(value: Uint8Array<ArrayBuffer> | undefined, family: Family): Address | undefined {
  return value?.length === (family === 4 ? 4 : 16) ? addressFromBytes(value, 0, family) : undefined;
}

function familyNumber(payload: Uint8Array<ArrayBuffer>, headerBytes: number): Family | undefined {
  if (payload.length < headerBytes) return undefined;
  return payload[0] === AF.inet ? 4 : payload[0] === AF.inet6 ? 6 : undefined;
}
