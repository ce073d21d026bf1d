/**
 * A hash of an address that nobody outside can predict: HalfSipHash-1-3 (Aumasson and Bernstein), on 32-bit words.
 *
 * Whoever knew the hash could choose source addresses that all fall into one set of a table, and so push a scanner out
 * of memory before it is caught. The key is drawn anew by each process.
 * @module
 */
import type { Address } from "../net/address.ts";

/** The two words of the key. */
export type HashKey = readonly [number, number];

/** A key that nobody knows. */
export function randomHashKey(): HashKey {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return [words[0] ?? 0, words[1] ?? 0];
}

/** 32 bits, unsigned, from an address and one more word (ports, or 0). */
export function hashAddress(address: Address, extra: number, key: HashKey): number {
  STATE[0] = key[0];
  STATE[1] = key[1];
  STATE[2] = 0x6c796765 ^ key[0];
  STATE[3] = 0x74656462 ^ key[1];
  round(address.w3);
  round(address.w2);
  round(address.w1);
  round(address.w0);
  round(extra);
  // The last block carries the length in bytes; then three rounds finish.
  round(20 << 24);
  STATE[2] = (STATE[2] ?? 0) ^ 0xff;
  round(0);
  round(0);
  round(0);
  return ((STATE[1] ?? 0) ^ (STATE[3] ?? 0)) >>> 0;
}

/** The four words between two rounds of one hash; no hash is ever interrupted. */
const STATE = new Int32Array(4);

function round(word: number): void {
  let v0 = STATE[0] ?? 0;
  let v1 = STATE[1] ?? 0;
  let v2 = STATE[2] ?? 0;
  let v3 = (STATE[3] ?? 0) ^ word;
  v0 = (v0 + v1) | 0;
  v1 = (v1 << 5) | (v1 >>> 27);
  v1 ^= v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = (v3 << 8) | (v3 >>> 24);
  v3 ^= v2;
  v0 = (v0 + v3) | 0;
  v3 = (v3 << 7) | (v3 >>> 25);
  v3 ^= v0;
  v2 = (v2 + v1) | 0;
  v1 = (v1 << 13) | (v1 >>> 19);
  v1 ^= v2;
  v2 = (v2 << 16) | (v2 >>> 16);
  STATE[0] = v0 ^ word;
  STATE[1] = v1;
  STATE[2] = v2;
  STATE[3] = v3;
}
