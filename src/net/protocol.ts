/**
 * The protocols that portsnare looks at, by the names and numbers of the IANA registry.
 * @module
 */

/** A transport (or ICMP) protocol; `icmp` stands for ICMP and ICMPv6. */
export type Protocol = "tcp" | "udp" | "sctp" | "icmp";

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
  noNextHeader: 59,
  destinationOptions: 60,
  sctp: 132,
  mobility: 135,
  hip: 139,
  shim6: 140,
} as const;
