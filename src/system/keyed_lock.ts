/**
 * Mutual exclusion for each of many keys.
 * @module
 */

/** A lock for each key: one body at a time holds it. */
export class KeyedLock {
  /** The keys that are held; each promise resolves when its key is free, and never rejects. */
  readonly #held = new Map<string, Promise<void>>();

  /** Whether this key is held. */
  isHeld(key: string): boolean {
    return this.#held.has(key);
  }

  /** Run `body` while holding all of these keys; when they are free it begins before this returns. */
  async hold<T>(keys: readonly string[], body: () => Promise<T>): Promise<T> {
    for (let others = this.#others(keys); others.length > 0; others = this.#others(keys)) {
      await Promise.all(others);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const key of keys) this.#held.set(key, promise);
    try {
      return await body();
    } finally {
      for (const key of keys) this.#held.delete(key);
      resolve();
    }
  }

  /** Resolves when every key that is held at this moment has been free. */
  async idle(): Promise<void> {
    await Promise.all(this.#held.values());
  }

  #others(keys: readonly string[]): readonly Promise<void>[] {
    return [...new Set(keys.map((key) => this.#held.get(key)).filter((other) => other !== undefined))];
  }
}
