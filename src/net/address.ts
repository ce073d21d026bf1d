/**
 * IP addresses as values: one shape for IPv4 and IPv6, so that no rule needs a second body for the other family.
 *
 * An IPv4 address is kept as its IPv4-mapped IPv6 form (RFC 4291, section 2.5.5.2); `::ffff:192.0.2.1` and
 * `192.0.2.1` are therefore the same value and one rule covers both.
 * @module
 */

/** An address as four 32-bit words in network order (the first word holds the most significant bits). */
export interface Address {
  /** Bits 127 to 96, unsigned. */
  readonly w0: number;
  /** Bits 95 to 64, unsigned. */
  readonly w1: number;
  /** Bits 63 to 32, unsigned. `0xffff` (and both words above 0) in an IPv4 address. */
  readonly w2: number;
  /** Bits 31 to 0, unsigned; the whole of an IPv4 address. */
  readonly w3: number;
}

/** The IP version that an address is written and sent in. */
export type Family = 4 | 6;

const IPV4_MAPPED = 0xffff;

/** An address from its four words, each taken modulo 2^32. */
export function addressOf(words: readonly [number, number, number, number]): Address {
  return { w0: words[0] >>> 0, w1: words[1] >>> 0, w2: words[2] >>> 0, w3: words[3] >>> 0 };
}

/** An IPv4 address from its 32 bits. */
export function ipv4Address(bits: number): Address {
  return { w0: 0, w1: 0, w2: IPV4_MAPPED, w3: bits >>> 0 };
}

/** 4 for an IPv4 (or IPv4-mapped) address, 6 for any other. */
export function familyOf(address: Address): Family {
  return address.w0 === 0 && address.w1 === 0 && address.w2 === IPV4_MAPPED ? 4 : 6;
}

/** Whether two addresses are the same. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0;
}

/**
 * The address in `bytes` at `offset`, in network order.
 *
 * The caller has checked that 4 (IPv4) or 16 (IPv6) bytes are there; missing bytes read as 0.
 */
export function addressFromBytes(bytes: Uint8Array, offset: number, family: Family): Address {
  if (family === 4) return ipv4Address(word(bytes, offset));
  return {
    w0: word(bytes, offset),
    w1: word(bytes, offset + 4),
    w2: word(bytes, offset + 8),
    w3: word(bytes, offset + 12),
  };
}

/** The 4 bytes of an IPv4 address or the 16 bytes of an IPv6 address, in network order. */
export function addressToBytes(address: Address): Uint8Array {
  const { w0, w1, w2, w3 } = address;
  if (familyOf(address) === 4) return Uint8Array.of(w3 >>> 24, w3 >>> 16, w3 >>> 8, w3);
  return Uint8Array.from([w0, w1, w2, w3].flatMap((w) => [w >>> 24, w >>> 16, w >>> 8, w]));
}

/** A string that is equal exactly when the addresses are: the key of maps off the hot path. Same as the written form. */
export function addressKey(address: Address): string {
  return formatAddress(address);
}

/** The same at less cost: the 32 bits of an IPv4 address, a text for any other. The key of maps on the hot path. */
export function hostKey(address: Address): number | string {
  return familyOf(address) === 4 ? address.w3 : `${address.w0}:${address.w1}:${address.w2}:${address.w3}`;
}

/** The canonical text: dotted decimal for IPv4, RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  if (familyOf(address) === 4) {
    const v = address.w3;
    return `${v >>> 24}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}`;
  }
  const groups = [address.w0, address.w1, address.w2, address.w3].flatMap((w) => [w >>> 16, w & 0xffff]);
  const gap = longestZeroRun(groups);
  if (gap.length < 2) return groups.map((g) => g.toString(16)).join(":");
  const head = groups.slice(0, gap.start).map((g) => g.toString(16)).join(":");
  const tail = groups.slice(gap.start + gap.length).map((g) => g.toString(16)).join(":");
  return `${head}::${tail}`;
}

/**
 * The address that `text` spells, or `undefined` when it spells none.
 *
 * Strict: four decimal numbers without leading zeros, or an RFC 4291 form with at most one `::`; no spaces, zone
 * index, brackets or prefix length. An IPv4-mapped IPv6 address comes back as the IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(":")) {
    const bits = parseDotted(text);
    return bits === undefined ? undefined : ipv4Address(bits);
  }
  const groups = parseGroups(text);
  if (groups === undefined) return undefined;
  const at = (i: number): number => groups[i] ?? 0;
  return addressOf([
    at(0) * 65536 + at(1),
    at(2) * 65536 + at(3),
    at(4) * 65536 + at(5),
    at(6) * 65536 + at(7),
  ]);
}

/** Whether this is a loopback address (127.0.0.0/8 or ::1). */
export function isLoopback(address: Address): boolean {
  if (familyOf(address) === 4) return address.w3 >>> 24 === 127;
  return address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1;
}

/** Whether this is the unspecified address (0.0.0.0 or ::). */
export function isUnspecified(address: Address): boolean {
  return address.w3 === 0 && address.w0 === 0 && address.w1 === 0 &&
    (address.w2 === 0 || address.w2 === IPV4_MAPPED);
}

/** Whether this is a multicast address or the IPv4 limited broadcast address: nothing that a scan could be aimed at. */
export function isMulticastOrBroadcast(address: Address): boolean {
  if (familyOf(address) === 4) return address.w3 >>> 28 === 14 || address.w3 === 0xffffffff;
  return address.w0 >>> 24 === 0xff;
}

function word(bytes: Uint8Array, offset: number): number {
  return (((bytes[offset] ?? 0) << 24) | ((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) |
    (bytes[offset + 3] ?? 0)) >>> 0;
}

/** Character by character: a hundred thousand bans are read at a start. */
function parseDotted(text: string): number | undefined {
  let [bits, part, digits, parts] = [0, 0, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      // No leading zeros: some readers take them for octal.
      if (digits === 1 && part === 0) return undefined;
      part = part * 10 + digit;
      digits++;
      if (part > 255) return undefined;
    } else {
      if (digits === 0 || (i < text.length && text[i] !== ".")) return undefined;
      bits = bits * 256 + part;
      [part, digits] = [0, 0];
      parts++;
    }
  }
  return parts === 4 ? bits : undefined;
}

function parseGroups(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseHalf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseHalf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseHalf(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const bits = last && index === parts.length - 1 ? parseDotted(part) : undefined;
      if (bits === undefined) return undefined;
      groups.push(bits >>> 16, bits & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = -1;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) {
      if (start < 0) start = i;
    } else if (start >= 0) {
      if (i - start > best.length) best = { start, length: i - start };
      start = -1;
    }
  }
  return best;
}
