/**
 * The bounds of `[block]`: how many bans there may be, and how many may be made in a second.
 * @module
 */
import type { Config } from "../config/schema.ts";

/** Refusals at a bound are told at most this often. */
const NOTICE_MS = 60_000;

/** Says of each further ban whether it may be made. */
export class BanBounds {
  #allowance = 0;
  #allowanceAt = -Infinity;
  #refused = 0;
  #toldAt = -Infinity;

  /** How many were refused, ever. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Whether one more may be made; if so it is counted.
   *
   * @param active How many there are.
   * @param nowMs On a clock that never jumps.
   */
  admit(
    block: Pick<Config["block"], "max_active" | "rate">,
    now: { active: number; nowMs: number },
  ): boolean {
    const { active, nowMs } = now;
    this.#allowance = Math.min(block.rate, this.#allowance + (nowMs - this.#allowanceAt) * block.rate / 1000);
    this.#allowanceAt = nowMs;
    if (active < block.max_active && this.#allowance >= 1) {
      this.#allowance--;
      return true;
    }
    this.#refused++;
    return false;
  }

  /** After a refusal: a line for the log, if it is time for one. */
  notice(
    block: Pick<Config["block"], "max_active" | "rate">,
    now: { active: number; nowMs: number },
  ): string | undefined {
    if (now.nowMs - this.#toldAt <= NOTICE_MS) return undefined;
    this.#toldAt = now.nowMs;
    const isFull = now.active >= block.max_active;
    const bound = isFull ? `block.max_active = ${block.max_active}` : `block.rate = ${block.rate} a second`;
    return `Bans are being refused: ${bound} is reached (${this.#refused} refused since start)`;
  }
}
