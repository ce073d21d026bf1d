/**
 * What the log says when many bans end at once: the first ones by name, the rest in one line.
 * @module
 */
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import type { Outcome } from "../respond/backend.ts";
import type { ReleaseEvent, ReleasesEvent } from "./event.ts";

/** So many are told one by one. The state remembers every one of them, and `why` tells it. */
const MAX_TOLD = 100;

/** A ban that ended. */
export interface Ended {
  /** Whose. */
  readonly target: Prefix;
  /** What each action did to undo it. */
  readonly outcomes: readonly Outcome[];
}

/** Counts the bans that end together. */
export class ReleaseDigest {
  readonly #cause: ReleaseEvent["cause"];
  #told = 0;
  #released = 0;
  #failed = 0;

  /** `cause`: why all of them end. */
  constructor(cause: ReleaseEvent["cause"]) {
    this.#cause = cause;
  }

  /** The events of those that are told one by one. The others are counted. */
  take(ended: readonly Ended[], time: number): readonly ReleaseEvent[] {
    const told = ended.slice(0, MAX_TOLD - this.#told);
    this.#told += told.length;
    for (const { outcomes } of ended.slice(told.length)) {
      if (outcomes.every((outcome) => outcome.ok)) this.#released++;
      else this.#failed++;
    }
    const cause = this.#cause;
    return told.map(({ target, outcomes }) => ({
      type: "release",
      time,
      target: formatPrefix(target),
      cause,
      outcomes,
    }));
  }

  /** What was only counted; nothing when there is nothing. */
  rest(time: number): readonly ReleasesEvent[] {
    const [released, failed] = [this.#released, this.#failed];
    return released + failed === 0 ? [] : [{ type: "releases", time, cause: this.#cause, released, failed }];
  }
}
