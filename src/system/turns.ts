/**
 * One thing at a time about each key, and as many keys at once as there are.
 * @module
 */

/** Who is at work on what. */
export class Turns {
  /** Ends when the work on the key does; never rejects. */
  readonly #busy = new Map<string, Promise<void>>();

  /** Whether something is going on about this key. */
  isBusy(key: string): boolean {
    return this.#busy.has(key);
  }

  /** Run `body` when nothing else is going on about any of these keys: before this returns if that is now. */
  async take<T>(keys: readonly string[], body: () => Promise<T>): Promise<T> {
    for (let others = this.#others(keys); others.length > 0; others = this.#others(keys)) {
      await Promise.all(others);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const key of keys) this.#busy.set(key, promise);
    try {
      return await body();
    } finally {
      for (const key of keys) this.#busy.delete(key);
      resolve();
    }
  }

  /** Resolves when everything that is going on at this moment has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  #others(keys: readonly string[]): readonly Promise<void>[] {
    return [...new Set(keys.map((key) => this.#busy.get(key)).filter((other) => other !== undefined))];
  }
}
