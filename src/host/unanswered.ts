/**
 * Questions that the kernel did not answer: counted by whoever asked, and told to the administrator now and then.
 *
 * Whoever asks goes on with what is known and errs on the side of whom a mistake would lock out. That must not happen
 * unseen, or a detector that is half blind would look like one that sees nothing.
 * @module
 */
import { messageOf } from "../errors.ts";

/** The same reason is told again after this long. */
const REPEAT_MS = 3_600_000;

/** What was not answered to one asker. */
export class Unanswered {
  readonly #what: string;
  readonly #meanwhile: string;
  #failures = 0;
  #lastFailure = "";
  #told = { failures: 0, reason: "", ms: -Infinity };

  /**
   * Nothing so far.
   *
   * @param what What the kernel is asked for, such as `who is logged in`.
   * @param meanwhile What is done without the answer, such as `those known last stay protected`.
   */
  constructor(what: string, meanwhile: string) {
    this.#what = what;
    this.#meanwhile = meanwhile;
  }

  /** How many questions, ever. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last of them was not answered, such as `look up socket: ENOBUFS`; empty when all were. */
  get lastFailure(): string {
    return this.#lastFailure;
  }

  /** Count one. */
  add(error: unknown): void {
    this.#failures++;
    this.#lastFailure = messageOf(error);
  }

  /** A line for the log if there is something new: another reason, or the same one after an hour. `nowMs`: never jumps. */
  takeNotice(nowMs: number): string | undefined {
    const { failures, reason, ms } = this.#told;
    const isRepeated = this.#lastFailure === reason && nowMs - ms < REPEAT_MS;
    if (this.#failures === failures || isRepeated) return undefined;
    const count = this.#failures - failures;
    this.#told = { failures: this.#failures, reason: this.#lastFailure, ms: nowMs };
    const times = count === 1 ? "once" : `${count} times`;
    return `The kernel did not say ${this.#what} (${times}, last: ${this.#lastFailure}); ${this.#meanwhile}`;
  }
}
