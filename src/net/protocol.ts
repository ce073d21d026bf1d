/**
 * The protocols that portsnare looks at, by the names and numbers of the IANA registry.
 * @module
 */

import type { Family } from "./address.ts";

/** A transport (or ICMP) protocol; `icmp` stands for ICMP and ICMPv6. */
export type Protocol = "tcp" | "udp" | "sctp" | "icmp";

/**
 * Types of the ICMP messages that ask for an answer: echo, timestamp, information and address mask (RFC 792, RFC 950)
 * over IPv4, echo (RFC 4443) over IPv6.
 */
export const ICMP_REQUESTS: Readonly<Record<Family, readonly number[]>> = { 4: [8, 13, 15, 17], 6: [128] };

/** IP protocol numbers (IANA "Assigned Internet Protocol Numbers"). */
export const IPPROTO = {
  hopOptions: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  esp: 50,
  authentication: 51,
  icmpv6: 58,
  destinationOptions: 60,
  sctp: 132,
  mobility: 135,
  hip: 139,
  shim6: 140,
} as const;
