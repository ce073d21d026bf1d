/**
 * Counts by key in bounded memory.
 * @module
 */

/** Counts by key; above `capacity` keys the one counted longest ago is forgotten. */
export class BoundedCounter {
  readonly #capacity: number;
  readonly #counts = new Map<string, number>();

  /** Nothing is counted yet. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Count this key once more. */
  add(key: string): void {
    const count = this.get(key) + 1;
    // A Map keeps its keys in the order of their insertion.
    this.#counts.delete(key);
    this.#counts.set(key, count);
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= this.#capacity) break;
      this.#counts.delete(oldest);
    }
  }

  /** How often this key was counted since it was last forgotten. */
  get(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
