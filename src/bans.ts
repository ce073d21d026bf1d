/**
 * The one owner of bans: makes, lifts, expires and restores them, and keeps the three places that know of them (the book
 * in memory, the firewall, the state database) in agreement.
 *
 * The order within a ban is fixed: booked, so that no second one is made; enforced; saved; told. Whatever is told as
 * made is therefore in force and saved, and whatever a crash leaves unsaved was never told.
 *
 * About one target there is never more than one thing going on, and while its ban is being lifted it stays booked.
 * @module
 */
import { formatDuration } from "./config/duration.ts";
import type { Config } from "./config/schema.ts";
import type { Probe } from "./decode/probe.ts";
import type { Decision } from "./detect/decision.ts";
import { responseTo } from "./detect/judge.ts";
import type { Address } from "./net/address.ts";
import { formatPrefix, hostPrefix, isHostPrefix, type Prefix } from "./net/prefix.ts";
import { banResult, type BlockEvent, type Level, type ReleaseEvent } from "./record/event.ts";
import type { Recorder } from "./record/recorder.ts";
import { ReleaseDigest } from "./record/release_digest.ts";
import { type ActiveBan, banOfEvent } from "./record/state/ban.ts";
import type { State } from "./record/state/state.ts";
import type { Ban, Outcome } from "./respond/backend.ts";
import { BanBook } from "./respond/ban_book.ts";
import { BanBounds } from "./respond/ban_bounds.ts";
import { banSeconds } from "./respond/ban_length.ts";
import type { BlockRequest, Responder } from "./respond/responder.ts";
import type { BootClock } from "./system/clock.ts";
import { faultPoint } from "./system/fault_point.ts";
import { KeyedLock } from "./system/keyed_lock.ts";

/** What a release could not undo is tried again after this long. */
const RETRY_SECONDS = 60;
/** Bans that end in one turn; the rest follow in the next second. */
const EXPIRE_BATCH = 5000;
/** Bans that are lifted together when there are many: probes are judged in between. */
const LIFT_BATCH = 1000;

/** What bans are made with. */
export interface BansParts {
  /** The configuration. */
  readonly config: Config;
  /** Carries bans out. */
  readonly responder: Pick<Responder, "block" | "release" | "clearHostsDeny" | "restore">;
  /** Keeps them. */
  readonly state: Pick<
    State,
    "offences" | "saveBans" | "saveReleases" | "markRecorded" | "active" | "get" | "find"
  >;
  /** Tells of them. */
  readonly recorder: Pick<Recorder, "record">;
  /** The time. */
  readonly clock: BootClock;
  /** The probes of a source that count at this moment. */
  readonly evidence: (source: Address, time: number) => readonly Probe[];
  /** Forget what was held against a source: its ban is over. */
  readonly forget: (source: Address) => void;
  /** Looks the name of a source up, where `detect.resolve_host` asks for it. Bounded in time; never before the ban. */
  readonly nameOf?: (source: Address) => Promise<string | undefined>;
}

/** A ban that a person asks for. */
export interface ManualBan {
  /** Whom. */
  readonly target: Prefix;
  /** `undefined`: permanent. */
  readonly seconds: number | undefined;
  /** Why, in the words of that person. Default: none. */
  readonly note?: string;
}

/** What became of a change that a person asked for. */
export interface Change {
  /** Whom. */
  readonly target: Prefix;
  /** What each action did. */
  readonly outcomes: readonly Outcome[];
}

/** Counters. All grow only. */
export interface BanStats {
  /** Made, whoever asked for them. */
  readonly made: number;
  /** The firewall did not take them. */
  readonly failed: number;
  /** Not attempted, because `block.max_active` or `block.rate` was reached. */
  readonly refused: number;
}

/** A ban that was decided and booked, and is now to be made. */
interface PlannedBan {
  readonly request: BlockRequest;
  readonly decision: Decision;
  readonly offence: number;
}

/** Makes and ends bans. */
export class Bans {
  readonly #book = new BanBook();
  /** With `response = "command"`: whose command has run, and who is not answered again for as long as a ban would last. */
  readonly #answered = new BanBook();
  readonly #bounds = new BanBounds();
  readonly #lock = new KeyedLock();
  /** Whose ban is being lifted at this moment, as text. */
  readonly #leaving = new Set<string>();
  #parts: BansParts;
  #made = 0;
  #failed = 0;

  /** Knows of no ban before {@link Bans.restore}. */
  constructor(parts: BansParts) {
    this.#parts = parts;
  }

  /** Follow another configuration; the bans in force stay. */
  reconfigure(parts: BansParts): void {
    this.#parts = parts;
  }

  /** Whether this address is kept out at this moment, or its command has run. */
  has(address: Address): boolean {
    return this.#book.has(address) || this.#answered.has(address);
  }

  /** How many bans are in force. */
  get active(): number {
    return this.#book.size;
  }

  /** The counters so far. */
  stats(): BanStats {
    return { made: this.#made, failed: this.#failed, refused: this.#bounds.refused };
  }

  /** The bans in force, with everything that is kept of them. */
  list(): Iterable<ActiveBan> {
    return this.#parts.state.active();
  }

  /** Whether there is a ban of exactly this target, be it one that is still being made. */
  holds(target: Prefix): boolean {
    return this.#book.get(target) !== undefined;
  }

  /** Whom there is a ban of, those included that are still being made. */
  targets(): readonly Prefix[] {
    return Array.from(this.#book.entries(), (ban) => ban.target);
  }

  /** Resolves when every ban that is being made or lifted at this moment has been. */
  async settled(): Promise<void> {
    await this.#lock.idle();
  }

  /**
   * Answer these scanners as the configuration says. The firewall is told before this returns; the promise ends when
   * every action has, and never rejects.
   */
  async make(decisions: readonly Decision[]): Promise<void> {
    const planned = decisions.map((decision) => this.#plan(decision)).filter((it) => it !== undefined);
    if (planned.length === 0) return;
    const keys = planned.map(({ request }) => formatPrefix(request.target));
    await this.#lock.hold(keys, () => this.#carryOut(planned));
  }

  async #carryOut(planned: readonly PlannedBan[]): Promise<void> {
    const { responder, clock, state, recorder, evidence } = this.#parts;
    const outcomes = await responder.block(planned.map(({ request }) => request));
    const time = clock.now();
    const names = await this.#names(planned.map(({ decision }) => decision.probe.source));
    const events = planned.map(({ request, decision, offence }, i): BlockEvent => ({
      type: "block",
      time,
      decision,
      seconds: request.seconds,
      offence,
      outcomes: outcomes[i] ?? [],
      ...(names[i] === undefined ? {} : { hostname: names[i] }),
    }));
    events.forEach((event) => this.#settle(hostPrefix(event.decision.probe.source), event.outcomes));
    faultPoint("ban-enforced");
    state.saveBans(events.map((event) => {
      const { source, time } = event.decision.probe;
      const probes = evidence(source, time);
      return banOfEvent(event, probes.length === 0 ? [event.decision.probe] : probes);
    }));
    faultPoint("ban-saved");
    const { isWritten } = recorder.record(events);
    faultPoint("ban-told");
    if (isWritten) state.markRecorded();
  }

  /** Ban a target because a person said so. An earlier ban of it is replaced. */
  async impose(ban: ManualBan): Promise<Change> {
    return await this.#lock.hold([formatPrefix(ban.target)], () => this.#impose(ban));
  }

  async #impose({ target, seconds, note }: ManualBan): Promise<Change> {
    const { responder, clock, state } = this.#parts;
    this.#enter(target, seconds);
    // What kill_route put there for the earlier ban is still there; a second rule would outlive the ban.
    const routed = this.#routed(target);
    const request: BlockRequest = { target, seconds, response: "block", isRouted: routed !== undefined };
    const [done = []] = await responder.block([request]);
    const outcomes = routed === undefined ? done : [...done, routed];
    this.#settle(target, outcomes);
    state.saveBans([{
      target,
      since: clock.now(),
      seconds,
      offence: this.#offences(target) + 1,
      reason: "manual",
      ...(note === undefined ? {} : { note }),
      ports: 0,
      probes: 0,
      evidence: [],
      outcomes,
    }]);
    const ok = banResult(outcomes) !== "failed";
    const length = seconds === undefined ? "permanently" : `for ${formatDuration(seconds)}`;
    const how = [length, note].filter((it) => it !== undefined).join(": ");
    this.#notice(
      ok ? "notice" : "err",
      `${formatPrefix(target)} ${ok ? "was" : "could not be"} blocked by hand ${how}`,
    );
    return { target, outcomes };
  }

  /** Take back everything that was done about these targets. Those that somebody else lifted meanwhile are left out. */
  async release(targets: readonly Prefix[], cause: ReleaseEvent["cause"]): Promise<readonly Change[]> {
    const digest = new ReleaseDigest(cause);
    const changes: Change[] = [];
    if (targets.length > LIFT_BATCH) await this.#parts.responder.clearHostsDeny(targets);
    for (let at = 0; at < targets.length; at += LIFT_BATCH) {
      if (at > 0) await new Promise((resolve) => setTimeout(resolve));
      changes.push(...await this.#lift(targets.slice(at, at + LIFT_BATCH), cause, digest));
    }
    this.#parts.recorder.record(digest.rest(this.#parts.clock.now()));
    return changes;
  }

  async #lift(
    targets: readonly Prefix[],
    cause: ReleaseEvent["cause"],
    digest: ReleaseDigest,
  ): Promise<readonly Change[]> {
    return await this.#lock.hold(targets.map(formatPrefix), async () => {
      const there = targets.filter((target) =>
        this.holds(target) || this.#parts.state.get(target) !== undefined
      );
      const keys = there.map(formatPrefix);
      for (const key of keys) this.#leaving.add(key);
      try {
        return there.length === 0 ? [] : await this.#release(there, cause, digest);
      } finally {
        for (const key of keys) this.#leaving.delete(key);
      }
    });
  }

  async #release(
    targets: readonly Prefix[],
    cause: ReleaseEvent["cause"],
    digest: ReleaseDigest,
  ): Promise<readonly Change[]> {
    const { responder, clock, state, recorder, forget } = this.#parts;
    const outcomes = await responder.release(targets, (target) => this.#routed(target)?.detail);
    const changes = targets.map((target, i): Change => ({ target, outcomes: outcomes[i] ?? [] }));
    const time = clock.now();
    for (const { target, outcomes } of changes) {
      if (isUndone(outcomes)) this.#book.remove(target);
      else this.#enter(target, RETRY_SECONDS);
      if (isHostPrefix(target)) forget(target.address);
    }
    faultPoint("release-undone");
    const over = changes.filter(({ outcomes }) => isUndone(outcomes));
    state.saveReleases(over.map((change) => ({ ...change, time, cause })));
    faultPoint("release-saved");
    recorder.record(digest.take(changes, time));
    faultPoint("release-told");
    return changes;
  }

  /** Lift every ban whose time is over. To be called each second. */
  async expire(): Promise<void> {
    const now = this.#parts.clock.bootSeconds();
    for (const { target } of this.#answered.takeDue(now, EXPIRE_BATCH)) this.#parts.forget(target.address);
    const due = this.#book.takeDue(now, EXPIRE_BATCH);
    // Booked until they are lifted, so that nobody makes a ban that this would then lift.
    for (const { target } of due) this.#enter(target, RETRY_SECONDS);
    const free = due.filter(({ target }) => !this.#lock.isHeld(formatPrefix(target)));
    await this.release(free.map((ban) => ban.target), "expired");
  }

  /** Make the firewall and hosts.deny agree with the state: at start, and after somebody flushed them. */
  async restore(): Promise<readonly Outcome[]> {
    const { state } = this.#parts;
    for (const ban of state.active()) {
      if (!this.holds(ban.target)) this.#enter(ban.target, finite(ban.secondsLeft));
    }
    const now = this.#parts.clock.bootSeconds();
    const bans: Ban[] = [];
    for (const { target, until } of this.#book.entries()) {
      if (until <= now || (this.#leaving.size > 0 && this.#leaving.has(formatPrefix(target)))) continue;
      // Its time is over, and it is booked only until it could be taken back.
      if (until <= now + RETRY_SECONDS && (state.get(target)?.secondsLeft ?? 1) <= 0) continue;
      bans.push({ target, seconds: until === Infinity ? undefined : Math.ceil(until - now) });
    }
    return await this.#parts.responder.restore(bans);
  }

  /** Do something about a ban in force while nobody else does; nothing happens when there is none any more. */
  async about(target: Prefix, body: (ban: ActiveBan) => Promise<void>): Promise<void> {
    await this.#lock.hold([formatPrefix(target)], async () => {
      const ban = this.holds(target) ? this.#parts.state.get(target) : undefined;
      if (ban !== undefined) await body(ban);
    });
  }

  /** Decide how long, and book it; `undefined` when there is a ban already or a bound is reached. */
  #plan(decision: Decision): PlannedBan | undefined {
    const { config } = this.#parts;
    const target = hostPrefix(decision.probe.source);
    if (this.has(decision.probe.source) || !this.#admit()) return undefined;
    const response = responseTo(config, decision.probe.protocol) === "command" ? "command" : "block";
    const offence = this.#offences(target) + 1;
    const seconds = banSeconds(config.block, offence);
    this.#enter(target, seconds, response === "block" ? this.#book : this.#answered);
    return { request: { target, seconds, response, decision, isAbsent: true }, decision, offence };
  }

  async #names(sources: readonly Address[]): Promise<readonly (string | undefined)[]> {
    const { nameOf } = this.#parts;
    return nameOf === undefined ? [] : await Promise.all(sources.map(nameOf));
  }

  /** Earlier bans of the target that are still remembered. */
  #offences(target: Prefix): number {
    const { state, clock, config } = this.#parts;
    return state.offences(target, clock.now() - config.files.keep);
  }

  /** What comes in excess is told and counted, and caught at its next probe. */
  #admit(): boolean {
    const { config, clock } = this.#parts;
    const now = { active: this.#book.size + this.#answered.size, nowMs: clock.monotonicMs() };
    if (this.#bounds.admit(config.block, now)) return true;
    const notice = this.#bounds.notice(config.block, now);
    if (notice !== undefined) this.#notice("warning", notice);
    return false;
  }

  /** What `kill_route` did for the ban that is in force, if it did; after a boot it was run again. */
  #routed(target: Prefix): Outcome | undefined {
    const { state } = this.#parts;
    if (state.get(target) === undefined) return undefined;
    const key = formatPrefix(target);
    const current = state.find(target.address).find((ban) =>
      ban.ended === undefined && formatPrefix(ban.target) === key
    );
    const last = current?.outcomes.findLast(({ action }) => action === "kill_route");
    return last?.ok === true ? last : undefined;
  }

  #enter(target: Prefix, seconds: number | undefined, book: BanBook = this.#book): void {
    const until = seconds === undefined ? Infinity : this.#parts.clock.bootSeconds() + seconds;
    book.add({ target, until });
  }

  /** Count, and strike out what did not come about: the source is judged afresh at its next probe. */
  #settle(target: Prefix, outcomes: readonly Outcome[]): void {
    const result = banResult(outcomes);
    if (result === "made") this.#made++;
    if (result === "failed") this.#failed++;
    if (result === "made") return;
    this.#book.remove(target);
    // An attempt to replace a ban that failed has not ended the ban.
    const earlier = this.#parts.state.get(target);
    if (earlier !== undefined) this.#enter(target, finite(earlier.secondsLeft));
  }

  #notice(level: Level, message: string): void {
    this.#parts.recorder.record([{ type: "notice", time: this.#parts.clock.now(), level, message }]);
  }
}

function finite(seconds: number): number | undefined {
  return seconds === Infinity ? undefined : seconds;
}

/** A wall that could not be taken down is tried again, unless that is of no use. */
function isUndone(outcomes: readonly Outcome[]): boolean {
  return outcomes.every((outcome) => outcome.ok || outcome.isFinal === true);
}
