/**
 * What is said to ipset and what it answers: the sets that iptables looks addresses up in. Pure.
 *
 * ipset(8), type hash:net: addresses and prefixes, each with the time after which the kernel forgets it.
 * @module
 */
import { type Family, familyOf } from "../net/address.ts";
import { formatPrefix, parsePrefix, type Prefix } from "../net/prefix.ts";
import type { Ban } from "./backend.ts";

/** The longest timeout that ipset takes (2^31 ms, in seconds). */
const MAX_TIMEOUT_SECONDS = 2_147_483;

/** More elements than any configuration allows bans. */
const MAX_ELEMENTS = 1_048_576;

/** The name of the set of a family. */
export function setName(family: Family): string {
  return `portsnare${family}`;
}

/** The argument list that makes the set of a family, or leaves it as it is. */
export function createSetArgv(family: Family): readonly string[] {
  const inet = family === 4 ? "inet" : "inet6";
  return [
    "ipset",
    "-exist",
    "create",
    setName(family),
    "hash:net",
    "family",
    inet,
    "timeout",
    "0",
    "maxelem",
    String(MAX_ELEMENTS),
  ];
}

/** The argument list that carries out lines of {@link addLine} and {@link deleteLine}. */
export const RESTORE_SET_ARGV: readonly string[] = ["ipset", "-exist", "restore"];

/**
 * The line that bans; an element that is there gets the new time.
 *
 * A ban too long for ipset is made without a timeout: it ends when we release it.
 */
export function addLine(ban: Ban): string {
  const seconds = ban.seconds === undefined || ban.seconds > MAX_TIMEOUT_SECONDS
    ? 0
    : Math.max(1, Math.ceil(ban.seconds));
  return `add ${setOf(ban.target)} ${formatPrefix(ban.target)} timeout ${seconds}`;
}

/** The line that releases. */
export function deleteLine(target: Prefix): string {
  return `del ${setOf(target)} ${formatPrefix(target)}`;
}

/** The bans in a set, from what `ipset save` printed. */
export function parseSet(listing: string): readonly Ban[] {
  const bans: Ban[] = [];
  for (const line of listing.split("\n")) {
    const match = /^add portsnare[46] (\S+) timeout (\d+)$/.exec(line.trim());
    const target = match?.[1] === undefined ? undefined : parsePrefix(match[1]);
    if (target === undefined) continue;
    const seconds = Number(match?.[2]);
    bans.push({ target, seconds: seconds === 0 ? undefined : seconds });
  }
  return bans;
}

/** Which line (from 0) of what it was given ipset stumbled over, and why; `undefined` when it does not say. */
export function failedLine(stderr: string): { readonly index: number; readonly error: string } | undefined {
  const match = /Error in line (\d+): (.*)/.exec(stderr);
  return match === null ? undefined : { index: Number(match[1]) - 1, error: match[2] ?? "" };
}

function setOf(target: Prefix): string {
  return setName(familyOf(target.address));
}
