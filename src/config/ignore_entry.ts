/**
 * One entry of an ignore list: an address, a prefix or a host name.
 * @module
 */
import { formatAddress, parseAddress } from "../net/address.ts";
import { parsePrefix, type Prefix } from "../net/prefix.ts";

/** What an entry of an ignore list means. */
export type IgnoreEntry =
  /** All addresses of a prefix. */
  | { readonly kind: "prefix"; readonly prefix: Prefix }
  /** Whatever addresses a host name has. */
  | { readonly kind: "name"; readonly name: string }
  /** Nothing, and why. */
  | { readonly kind: "nothing"; readonly why: string };

/** A host name of RFC 1123, underscores allowed; its last label is not a number, so that it is not a slipped address. */
const HOST_NAME =
  /^(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$/;

/** What one entry means. Host bits, dotted netmasks and brackets round IPv6 are understood. */
export function parseIgnoreEntry(text: string): IgnoreEntry {
  const prefix = parsePrefix(text.replace(/^\[([^\]]*)\]/, "$1"));
  if (prefix !== undefined) return { kind: "prefix", prefix };
  if (HOST_NAME.test(text)) return { kind: "name", name: text.replace(/\.$/, "").toLowerCase() };
  return { kind: "nothing", why: whyNothing(text) };
}

function whyNothing(text: string): string {
  const [address = "", suffix] = text.split("/", 2);
  const parsed = parseAddress(address);
  if (parsed !== undefined && suffix !== undefined) {
    return suffix.includes(".")
      ? `${show(suffix)} is no netmask: its one bits must all be on the left, as in 255.255.255.0`
      : `/${suffix} is no prefix length of ${formatAddress(parsed)}`;
  }
  if (text.includes("%")) return `${show(text)} has an interface name; write the address alone`;
  if (/^[\d.]+(?:\/.*)?$/.test(text)) {
    return `${show(text)} is no IPv4 address: that is four numbers from 0 to 255`;
  }
  if (/^[\da-fA-F:.]+(?:\/.*)?$/.test(text)) return `${show(text)} is no IPv6 address`;
  return `${show(text)} is no address, prefix or host name`;
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
