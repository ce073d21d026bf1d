/**
 * Prefixes as the intervals that nf_tables keeps: sorted, disjoint, each with the first key behind it.
 *
 * An interval set refuses elements that overlap, but configurations and people do not know that.
 * @module
 */
import {
  type Address,
  addressOf,
  addressToBytes,
  type Family,
  familyOf,
  formatAddress,
  ipv4Address,
} from "../../net/address.ts";
import { type Prefix, prefixOf } from "../../net/prefix.ts";
import type { ListedElement, SetElement } from "./element.ts";

/** Addresses of one family as numbers: from `first` up to, not including, `end`. */
export interface Interval {
  /** The first address. */
  readonly first: bigint;
  /** One more than the last address; 2^32 or 2^128 at the end of the family. */
  readonly end: bigint;
}

/** An interval that ends some time. */
export interface TimedInterval extends Interval {
  /** When, on any clock; `Infinity`: never. */
  readonly until: number;
}

/** How many bits an address of each family has. */
const BITS = { 4: 32, 6: 128 } as const;

/** The addresses of a prefix. */
export function intervalOf(prefix: Prefix): Interval {
  const family = familyOf(prefix.address);
  const first = numberOf(prefix.address);
  return { first, end: first + (1n << BigInt(BITS[family] - prefix.length)) };
}

/** The same addresses as few disjoint intervals, in order. */
export function mergeIntervals(intervals: readonly Interval[]): readonly Interval[] {
  const merged: { first: bigint; end: bigint }[] = [];
  for (const { first, end } of [...intervals].sort(byFirst)) {
    const last = merged.at(-1);
    if (last === undefined || first > last.end) merged.push({ first, end });
    else if (end > last.end) last.end = end;
  }
  return merged;
}

/** The same as disjoint intervals in order, each address with the latest end that any of the given ones has for it. */
export function layIntervals(intervals: readonly TimedInterval[]): readonly TimedInterval[] {
  const borders = [...new Set(intervals.flatMap(({ first, end }) => [first, end]))]
    .sort((a, b) => (a < b ? -1 : 1));
  const laid: { first: bigint; end: bigint; until: number }[] = [];
  for (const [index, first] of borders.entries()) {
    const end = borders[index + 1];
    if (end === undefined) break;
    const until = Math.max(
      -Infinity,
      ...intervals.filter((it) => it.first <= first && it.end >= end).map((it) => it.until),
    );
    if (until === -Infinity) continue;
    const last = laid.at(-1);
    if (last !== undefined && last.end === first && last.until === until) last.end = end;
    else laid.push({ first, end, until });
  }
  return laid;
}

/** The fewest prefixes that hold exactly these addresses. */
export function prefixesOf({ first, end }: Interval, family: Family): readonly Prefix[] {
  const bits = BITS[family];
  const prefixes: Prefix[] = [];
  for (let at = first; at < end;) {
    let length = bits;
    // As large as the alignment of its first address and the addresses that are left allow.
    while (length > 0) {
      const size = 1n << BigInt(bits - length + 1);
      if (at % size !== 0n || at + size > end) break;
      length--;
    }
    prefixes.push(prefixOf(addressAt(at, family), length));
    at += 1n << BigInt(bits - length);
  }
  return prefixes;
}

/** The interval as an element of a set. */
export function intervalElement({ first, end }: Interval, family: Family): SetElement {
  const key = addressToBytes(addressAt(first, family));
  return end >> BigInt(BITS[family]) === 1n ? { key } : { key, end: addressToBytes(addressAt(end, family)) };
}

/** The interval as nft writes it. */
export function intervalText({ first, end }: Interval, family: Family): string {
  const from = formatAddress(addressAt(first, family));
  return end - first === 1n ? from : `${from}-${formatAddress(addressAt(end - 1n, family))}`;
}

/** What the kernel lists, in any order, as intervals with the milliseconds that each has left. */
export function readIntervals(elements: readonly ListedElement[], family: Family): readonly TimedInterval[] {
  const sorted = elements.map((element) => ({ ...element, at: numberOfBytes(element.key) }))
    // Where one ends and the next begins, the end comes first.
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : Number(b.isEnd) - Number(a.isEnd)));
  return sorted.flatMap(({ at, isEnd, remainingMs }, index) => {
    if (isEnd) return [];
    const next = sorted[index + 1];
    const end = next === undefined ? 1n << BigInt(BITS[family]) : next.at;
    return [{ first: at, end, until: remainingMs ?? Infinity }];
  });
}

function byFirst(a: Interval, b: Interval): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

function numberOf(address: Address): bigint {
  return numberOfBytes(addressToBytes(address));
}

function numberOfBytes(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function addressAt(value: bigint, family: Family): Address {
  const word = (shift: bigint): number => Number((value >> shift) & 0xffffffffn);
  return family === 4 ? ipv4Address(word(0n)) : addressOf([word(96n), word(64n), word(32n), word(0n)]);
}
