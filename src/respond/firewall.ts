/**
 * One backend in use: calls in order and never two at once, a failed ban tried again, an exception turned into outcomes.
 *
 * Stage "act".
 * @module
 */
import { messageOf } from "../errors.ts";
import { type Prefix, prefixKey } from "../net/prefix.ts";
import type { Backend, Ban, Outcome } from "./backend.ts";
import { Batcher } from "./batcher.ts";

/** Before each further attempt at a ban that failed. Those who wait behind it wait as long. */
const RETRY_AFTER_MS: readonly number[] = [50, 500];

/** A ban that the firewall would end so much later than it should is lifted in time by us. */
const CLOSE_ENOUGH_SECONDS = 5;

/** More in one call would take longer than the programs of some backends are given. */
const MAX_CALL = 5000;

type Change =
  | { readonly verb: "block"; readonly ban: Ban }
  | { readonly verb: "release"; readonly target: Prefix };

/** A backend in use. */
export class Firewall {
  #backend: Backend;
  readonly #sleep: (milliseconds: number) => Promise<void>;
  readonly #changes: Batcher<Change, Outcome>;
  #wasMended = false;

  /**
   * Owns the way to the backend.
   *
   * @param backend Set up by the caller; nobody else calls it while this is in use.
   * @param sleep Waits between attempts.
   */
  constructor(backend: Backend, sleep: (milliseconds: number) => Promise<void> = timer) {
    this.#backend = backend;
    this.#sleep = sleep;
    this.#changes = new Batcher((changes) => this.#apply(changes));
  }

  /** From the next call on use another backend. */
  use(backend: Backend): void {
    this.#backend = backend;
  }

  /**
   * Whether something was set up again since this was last asked, so that bans made before may be missing. Whoever asks
   * is to restore them.
   */
  takeMended(): boolean {
    const wasMended = this.#wasMended;
    this.#wasMended = false;
    return wasMended;
  }

  /** Ban. One outcome each, in order; what failed was tried again. Never rejects. */
  async block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    return await this.#changes.submit(bans.map((ban) => ({ verb: "block", ban })));
  }

  /** Release. One outcome each, in order. Never rejects. */
  async release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    return await this.#changes.submit(targets.map((target) => ({ verb: "release", target })));
  }

  /** Make these bans be in force, and none but them and those that `keep` says. Never rejects. */
  async restore(bans: readonly Ban[], keep: (target: Prefix) => boolean): Promise<readonly Outcome[]> {
    await this.#mend();
    // Everything is put back here.
    this.#wasMended = false;
    try {
      const there = new Map((await this.#backend.list()).map((ban) => [prefixKey(ban.target), ban]));
      const missing: Ban[] = [];
      for (const ban of bans) {
        const key = prefixKey(ban.target);
        const present = there.get(key);
        if (present === undefined) missing.push({ ...ban, isAbsent: true });
        else if (!isAsGood(present, ban)) missing.push(ban);
        there.delete(key);
      }
      const stale = [...there.values()].map((ban) => ban.target).filter((target) => !keep(target));
      return (await Promise.all([this.release(stale), this.block(missing)])).flat();
    } catch (error) {
      return [{ ok: false, action: this.#backend.name, error: messageOf(error) }];
    }
  }

  async #apply(changes: readonly Change[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < changes.length;) {
      const verb = changes[at]?.verb;
      let end = at + 1;
      while (end < at + MAX_CALL && changes[end]?.verb === verb) end++;
      const run = changes.slice(at, end);
      const bans = run.flatMap((change) => change.verb === "block" ? [change.ban] : []);
      const targets = run.flatMap((change) => change.verb === "release" ? [change.target] : []);
      outcomes.push(...(bans.length > 0 ? await this.#insist(bans) : await this.#lift(targets)));
      at += run.length;
    }
    return outcomes;
  }

  /** Ban, and try again what failed; before that mend what somebody may have removed. */
  async #insist(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    const outcomes = [...await this.#enforce(bans)];
    for (const wait of RETRY_AFTER_MS) {
      const failed = bans.flatMap((ban, index) => outcomes[index]?.ok === true ? [] : [{ ban, index }]);
      if (failed.length === 0) break;
      await this.#sleep(wait);
      await this.#mend();
      const again = await this.#enforce(failed.map(({ ban }) => ban));
      failed.forEach(({ index }, at) => outcomes[index] = again[at] ?? this.#failed("no answer"));
    }
    return outcomes;
  }

  async #enforce(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    try {
      return await this.#backend.block(bans);
    } catch (error) {
      return bans.map(() => this.#failed(messageOf(error)));
    }
  }

  /** Release; what failed because somebody removed our objects succeeds once they are there again. */
  async #lift(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    const outcomes = await this.#disband(targets);
    if (outcomes.every((outcome) => outcome.ok) || !(await this.#mend())) return outcomes;
    return await this.#disband(targets);
  }

  async #disband(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    try {
      return await this.#backend.release(targets);
    } catch (error) {
      return targets.map(() => this.#failed(messageOf(error)));
    }
  }

  /** @returns Whether something was missing and is there again. */
  async #mend(): Promise<boolean> {
    try {
      if ((await this.#backend.check()).ok) return false;
      await this.#backend.setup();
      this.#wasMended = true;
      return true;
    } catch {
      // The next attempt fails for the same reason and says so.
      return false;
    }
  }

  #failed(error: string): Outcome {
    return { ok: false, action: this.#backend.name, error };
  }
}

/** Whether what is in force need not be touched: after a mere restart that is nearly everything. */
function isAsGood(there: Ban, wanted: Ban): boolean {
  if (there.seconds === undefined || wanted.seconds === undefined) return there.seconds === wanted.seconds;
  const longer = there.seconds - wanted.seconds;
  return longer >= 0 && longer <= CLOSE_ENOUGH_SECONDS;
}

function timer(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
