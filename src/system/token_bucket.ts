/**
 * How often something may happen: so many times at once, and so many times a second in the long run.
 * @module
 */

/** Size and speed of a {@link TokenBucket}. */
export interface BucketOptions {
  /** Tokens that may be spent at once. */
  readonly burst: number;
  /** Tokens that come back in a second. */
  readonly perSecond: number;
}

/** A token bucket, full at first. Time is passed in, in milliseconds of any steady clock. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #lastMs: number | undefined;

  /** A full bucket. */
  constructor(options: BucketOptions) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1000;
    this.#tokens = options.burst;
  }

  /** Spend a token. @returns Whether there was one. */
  take(nowMs: number): boolean {
    const elapsed = Math.max(0, nowMs - (this.#lastMs ?? nowMs));
    this.#lastMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsed * this.#perMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
