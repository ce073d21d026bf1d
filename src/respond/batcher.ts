/**
 * Requests that come while another is being carried out are carried out together, in the order in which they came.
 *
 * So that a slow resource (a file, a program) costs once per batch, and no two calls of it overlap.
 * @module
 */

/** What is waiting for its turn. */
interface Waiting<Request, Result> {
  readonly requests: readonly Request[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Carries out requests one batch after the other. Bounded by whoever submits. */
export class Batcher<Request, Result> {
  readonly #carryOut: (requests: readonly Request[]) => Promise<readonly Result[]>;
  #waiting: Waiting<Request, Result>[] = [];
  #busy = false;

  /** `carryOut` gives one result for each request, in order, and is never called while it is still at work. */
  constructor(carryOut: (requests: readonly Request[]) => Promise<readonly Result[]>) {
    this.#carryOut = carryOut;
  }

  /** One result for each request, in order. When nothing is going on, `carryOut` is called before this returns. */
  submit(requests: readonly Request[]): Promise<readonly Result[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Result[]>();
    this.#waiting.push({ requests, resolve, reject });
    if (!this.#busy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const results = await this.#carryOut(batch.flatMap((waiting) => waiting.requests));
        let at = 0;
        for (const { requests, resolve } of batch) resolve(results.slice(at, at += requests.length));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#busy = false;
  }
}
