/**
 * A chain of our table as a value, and the pieces of text that several chains share.
 * @module
 */
import { formatPortRange, type PortSet } from "../../net/ports.ts";

/** A chain of our table. */
export interface Chain {
  /** Its name. */
  readonly name: string;
  /** What it is for, for whoever lists the table. */
  readonly comment: string;
  /** Where the kernel enters it; left out for a chain that others jump to. */
  readonly hook?: { readonly name: string; readonly priority: number };
  /** Its rules, in order. */
  readonly rules: readonly string[];
}

/** A local socket would receive this packet: `socket` matches whichever of the two values it has. */
export const HAS_SOCKET = "socket transparent { 0, 1 }";
/** The first chunk of an SCTP packet is an INIT (RFC 9260, section 3.3.2); nft learnt the name of it after 0.9.8. */
export const NOT_SCTP_INIT = "meta l4proto sctp @th,96,8 != 1";

/** A set of ports as nft writes it. */
export function portsText(ports: PortSet): string {
  return `{ ${ports.ranges().map(formatPortRange).join(", ")} }`;
}

/** The same rule for both families: `ADDR` stands for `ip` or `ip6`, `#` for 4 or 6. */
export function both(rule: string): readonly string[] {
  return [["ip", "4"], ["ip6", "6"]].map(([family = "", suffix = ""]) =>
    rule.replaceAll("ADDR", family).replaceAll("#", suffix)
  );
}

/** The kind of question that the sets `repeat4` and `repeat6` remember: who asked for which port of ours. */
export const REPEAT_KEY = "ADDR saddr . meta l4proto . th dport";
