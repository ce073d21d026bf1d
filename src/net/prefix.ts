/**
 * Address prefixes (CIDR, RFC 4632 and RFC 4291 section 2.3) and sets of them.
 * @module
 */
import {
  type Address,
  addressOf,
  type Family,
  familyOf,
  formatAddress,
  hostKey,
  parseAddress,
} from "./address.ts";

/** All addresses that share their first `length` bits with `address`; host bits of `address` are 0. */
export interface Prefix {
  /** The first address of the prefix. */
  readonly address: Address;
  /** Bits that count: 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
}

/** A prefix from any address in it; host bits are cleared. */
export function prefixOf(address: Address, length: number): Prefix {
  const bits = familyOf(address) === 4 ? length + 96 : length;
  const [m0, m1, m2, m3] = masks(bits);
  const cleared = addressOf([address.w0 & m0, address.w1 & m1, address.w2 & m2, address.w3 & m3]);
  return { address: cleared, length };
}

/** The prefix that holds exactly this address. */
export function hostPrefix(address: Address): Prefix {
  return { address, length: familyOf(address) === 4 ? 32 : 128 };
}

/** Whether the prefix holds exactly one address. */
export function isHostPrefix(prefix: Prefix): boolean {
  return prefix.length === (familyOf(prefix.address) === 4 ? 32 : 128);
}

/** Whether `address` lies in `prefix`. An IPv4 address never lies in a prefix of IPv6, not even in ::/0. */
export function prefixContains(prefix: Prefix, address: Address): boolean {
  if (familyOf(prefix.address) !== familyOf(address)) return false;
  const cleared = prefixOf(address, prefix.length).address;
  return cleared.w3 === prefix.address.w3 && cleared.w2 === prefix.address.w2 &&
    cleared.w1 === prefix.address.w1 && cleared.w0 === prefix.address.w0;
}

/** The canonical text: the bare address for a single one, otherwise `address/length`. */
export function formatPrefix(prefix: Prefix): string {
  const address = formatAddress(prefix.address);
  return isHostPrefix(prefix) ? address : `${address}/${prefix.length}`;
}

/** A key of maps that is the same exactly when the prefixes are; see {@link hostKey}. */
export function prefixKey(prefix: Prefix): number | string {
  return isHostPrefix(prefix) ? hostKey(prefix.address) : formatPrefix(prefix);
}

/**
 * The prefix that `text` spells (`address`, `address/length`, `IPv4/dotted netmask`), or `undefined`.
 *
 * Host bits are allowed and cleared. A dotted netmask must be contiguous. A length on an IPv4-mapped IPv6 address
 * counts from the start of the IPv6 address (`::ffff:192.0.2.0/120` is 192.0.2.0/24).
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return hostPrefix(address);
  const suffix = text.slice(slash + 1);
  if (/^(0|[1-9]\d{0,2})$/.test(suffix)) {
    const written = Number(suffix);
    const mapped = familyOf(address) === 4 && text.includes(":");
    const length = mapped ? written - 96 : written;
    return length < 0 || length > (familyOf(address) === 4 ? 32 : 128)
      ? undefined
      : prefixOf(address, length);
  }
  const mask = familyOf(address) === 4 ? parseAddress(suffix) : undefined;
  if (mask === undefined || suffix.includes(":")) return undefined;
  const length = Math.clz32(~mask.w3 >>> 0);
  return (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0) === mask.w3
    ? prefixOf(address, length)
    : undefined;
}

/** The prefixes of one family and length. */
interface LengthGroup {
  readonly family: Family;
  /** What of an address counts at this length. */
  readonly masks: readonly [number, number, number, number];
  /** The first addresses, by {@link mix}; nearly always one to each number. */
  readonly firsts: Map<number, Address[]>;
}

/**
 * A set of prefixes that answers "is this address in any of them" in time that does not grow with their number.
 *
 * Asked for every packet that reaches a trap, so a look-up allocates nothing.
 */
export class PrefixSet {
  readonly #groups: readonly LengthGroup[];
  /** What the set was made from. */
  readonly prefixes: readonly Prefix[];

  /** The set of these prefixes, in any order; duplicates are harmless. */
  constructor(prefixes: Iterable<Prefix>) {
    this.prefixes = [...prefixes];
    const groups = new Map<string, LengthGroup>();
    for (const { address, length } of this.prefixes) {
      const family = familyOf(address);
      const name = `${family}/${length}`;
      const group = groups.get(name) ??
        { family, masks: masks(length + (family === 4 ? 96 : 0)), firsts: new Map<number, Address[]>() };
      groups.set(name, group);
      const number = mix(address.w0, address.w1, address.w2, address.w3);
      group.firsts.set(number, [...group.firsts.get(number) ?? [], address]);
    }
    this.#groups = [...groups.values()];
  }

  /** Whether any prefix of the set holds `address`. */
  has(address: Address): boolean {
    const family = familyOf(address);
    for (const group of this.#groups) {
      if (group.family === family && holds(group, address)) return true;
    }
    return false;
  }
}

function holds({ masks, firsts }: LengthGroup, address: Address): boolean {
  const w0 = (address.w0 & masks[0]) >>> 0;
  const w1 = (address.w1 & masks[1]) >>> 0;
  const w2 = (address.w2 & masks[2]) >>> 0;
  const w3 = (address.w3 & masks[3]) >>> 0;
  const candidates = firsts.get(mix(w0, w1, w2, w3));
  if (candidates === undefined) return false;
  for (const first of candidates) {
    if (first.w3 === w3 && first.w2 === w2 && first.w1 === w1 && first.w0 === w0) return true;
  }
  return false;
}

/** Four words as one number. The set's contents are the administrator's, so nobody aims collisions at it. */
function mix(w0: number, w1: number, w2: number, w3: number): number {
  return Math.imul(Math.imul(Math.imul(w0, 31) + w1, 31) + w2, 0x9e3779b1) ^ w3;
}

function masks(bits: number): [number, number, number, number] {
  const part = (index: number): number => {
    const kept = Math.min(32, Math.max(0, bits - index * 32));
    return kept === 0 ? 0 : (0xffffffff << (32 - kept)) >>> 0;
  };
  return [part(0), part(1), part(2), part(3)];
}
