/**
 * Says when sources were left free that would have been held, because a bound of `[block]` was reached.
 * @module
 */
import type { Config } from "../../config/schema.ts";

/** It is told at most this often. */
const NOTICE_MS = 60_000;

/** Follows the ruleset's counter of sources that were not seized. */
export class SeizureBounds {
  #counted = 0;
  #untold = 0;
  #toldAt = -Infinity;

  /**
   * A line for the log, if there is something new and it is time for it.
   *
   * @param unseized The counter as it is now; smaller than before when the table was made anew.
   * @param nowMs On a clock that never jumps.
   */
  notice(
    block: Pick<Config["block"], "max_active" | "rate">,
    now: { readonly unseized: number; readonly nowMs: number },
  ): string | undefined {
    this.#untold += now.unseized < this.#counted ? now.unseized : now.unseized - this.#counted;
    this.#counted = now.unseized;
    if (this.#untold === 0 || now.nowMs - this.#toldAt <= NOTICE_MS) return undefined;
    const probes = this.#untold;
    this.#untold = 0;
    this.#toldAt = now.nowMs;
    return `The sources of ${probes} probes were left free: block.rate = ${block.rate} a second or ` +
      `block.max_active = ${block.max_active} was reached. Their probes are reported all the same`;
  }
}
