/**
 * PortSentry's list of blocked hosts: one line for each ban in force, in the form of the history, for scripts that read it.
 *
 * Rewritten as a whole, never half: a ban that is over disappears from it. With many bans it is written less often, so
 * that no more than a fiftieth of the time goes into it.
 * @module
 */
import { messageOf } from "../errors.ts";
import { formatPrefix } from "../net/prefix.ts";
import { replaceFile } from "../system/atomic_file.ts";
import type { Clock } from "../system/clock.ts";
import { formatHistoryLine } from "./history.ts";
import type { ActiveBan } from "./state/ban.ts";
import type { State } from "./state/state.ts";

/** How many times longer than a write took the next one is put off. */
const REST_FACTOR = 50;

/** What became of an update. */
export type UpdateResult = { readonly ok: true } | { readonly ok: false; readonly error: string };

/** The file that `files.blocked` names. */
export class BlockedFile {
  /** Where it is. */
  readonly path: string;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #written: number | undefined;
  #restUntil = -Infinity;

  /** Writes nothing yet. */
  constructor(path: string, clock: Pick<Clock, "monotonicMs">) {
    this.path = path;
    this.#clock = clock;
  }

  /** Make the file agree with the state, if it does not and it is time. To be called each second. */
  update(state: Pick<State, "version" | "active">): UpdateResult {
    const started = this.#clock.monotonicMs();
    if (state.version === this.#written || started < this.#restUntil) return { ok: true };
    try {
      replaceFile(this.path, blockedText(state.active()), { mode: 0o640 });
      this.#written = state.version;
      return { ok: true };
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    } finally {
      const ended = this.#clock.monotonicMs();
      this.#restUntil = ended + (ended - started) * REST_FACTOR;
    }
  }
}

/** The lines of the bans in force. A ban that no probe led to has port 0. */
function blockedText(bans: Iterable<ActiveBan>): string {
  let text = "";
  for (const { target, since, secondsLeft, port = 0, protocol = "tcp" } of bans) {
    if (secondsLeft <= 0) continue;
    text += `${formatHistoryLine({ time: since, address: formatPrefix(target), port, protocol })}\n`;
  }
  return text;
}
