/**
 * How long a ban lasts: longer each time that the same source earns one.
 * @module
 */

import { MAX_DURATION_SECONDS } from "../config/duration.ts";

/** The keys of `[block]` that decide. Durations in seconds, `Infinity` for permanent. */
export interface BanLengths {
  /** The first ban. */
  readonly duration: number;
  /** Each further one lasts this many times longer. */
  readonly factor: number;
  /** But never longer than this, unless `duration` itself is permanent. */
  readonly max_duration: number;
}

/**
 * Seconds of the ban for the n-th offence (1: the first); `undefined`: permanent.
 *
 * A `duration` above `max_duration` is cut to it. What grows past any duration that can be written is permanent.
 */
export function banSeconds(lengths: BanLengths, offence: number): number | undefined {
  if (lengths.duration === Infinity) return undefined;
  const grown = lengths.duration * lengths.factor ** Math.max(0, offence - 1);
  const seconds = Math.min(grown, lengths.max_duration);
  return seconds > MAX_DURATION_SECONDS ? undefined : Math.ceil(seconds);
}
