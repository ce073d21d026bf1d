/**
 * Values by address, for look-ups on the packet path: no text is made of the address.
 * @module
 */
import { type Address, sameAddress } from "../net/address.ts";

/** A map whose keys are addresses. Entries stay in no particular order. */
export class AddressMap<V> {
  /** Last word of the address, which spreads best, mixed with the one before → the entries that share it. */
  readonly #buckets = new Map<number, { readonly address: Address; value: V }[]>();
  #size = 0;

  /** How many addresses have a value. */
  get size(): number {
    return this.#size;
  }

  /** The value of this address, or `undefined`. */
  get(address: Address): V | undefined {
    return this.#buckets.get(hash(address))?.find((entry) => sameAddress(entry.address, address))?.value;
  }

  /** Whether this address has a value. */
  has(address: Address): boolean {
    return this.#buckets.get(hash(address))?.some((entry) => sameAddress(entry.address, address)) ?? false;
  }

  /** Give this address a value, in place of any earlier one. */
  set(address: Address, value: V): void {
    const key = hash(address);
    const bucket = this.#buckets.get(key);
    const entry = bucket?.find((candidate) => sameAddress(candidate.address, address));
    if (entry !== undefined) {
      entry.value = value;
      return;
    }
    if (bucket === undefined) this.#buckets.set(key, [{ address, value }]);
    else bucket.push({ address, value });
    this.#size++;
  }

  /** Every address with its value. */
  *entries(): Iterable<{ readonly address: Address; readonly value: V }> {
    for (const bucket of this.#buckets.values()) yield* bucket;
  }

  /** Every address. */
  addresses(): readonly Address[] {
    return [...this.entries()].map((entry) => entry.address);
  }
}

function hash(address: Address): number {
  return (address.w3 ^ Math.imul(address.w2, 0x9e3779b1) ^ Math.imul(address.w1, 0x85ebca6b) ^ address.w0) |
    0;
}
