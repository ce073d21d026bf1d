/**
 * A packet seen as a probe: which port of this host was asked, and in which way.
 * @module
 */
import type { Address } from "../net/address.ts";
import type { Protocol } from "../net/protocol.ts";

/** Every scan type, by nmap's names. */
export const SCAN_TYPES = [
  "syn",
  "connect",
  "fin",
  "null",
  "xmas",
  "ack",
  "window",
  "maimon",
  "udp",
  "sctp",
  "icmp",
  "unknown",
] as const;

/** How a port was probed. */
export type ScanType = (typeof SCAN_TYPES)[number];

/** One question asked of this host. */
export interface Probe {
  /** Seconds since the epoch. */
  readonly time: number;
  /** Who asked, as far as the packet says. */
  readonly source: Address;
  /** Which address was asked. */
  readonly dest: Address;
  /** By which protocol. */
  readonly protocol: Protocol;
  /** The port asked for; the message type for ICMP. */
  readonly port: number;
  /** The port it came from; 0 where there is none. */
  readonly sourcePort: number;
  /** In which way. */
  readonly scan: ScanType;
  /** The TCP flag bits; 0 for every other protocol. */
  readonly flags: number;
  /** Whether IP options were set (PortSentry logs that as an avoidance technique). */
  readonly hasOptions: boolean;
}
