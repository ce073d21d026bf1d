/**
 * What is done each second, and what puts bans back: after a start, a boot, a reload, and when somebody removed them.
 * @module
 */
import type { Bans } from "./bans.ts";
import type { Config } from "./config/schema.ts";
import type { EngineSetup } from "./engine_setup.ts";
import { messageOf } from "./errors.ts";
import type { HostFacts } from "./host/host_facts.ts";
import { saveListeners } from "./known_listeners.ts";
import { quantity } from "./quantity.ts";
import { BlockedFile } from "./record/blocked_file.ts";
import type { Level } from "./record/event.ts";
import type { Recorder } from "./record/recorder.ts";
import { eventOfBan } from "./record/state/ban.ts";
import type { State } from "./record/state/state.ts";
import { reroute } from "./reroute.ts";
import type { Outcome } from "./respond/backend.ts";
import { SeizureBounds } from "./respond/nftables/seizure_bounds.ts";
import type { Responder } from "./respond/responder.ts";
import type { BootClock } from "./system/clock.ts";
import type { Watch } from "./watch.ts";

const TICK_MS = 1000;
/** Listeners are written down this often, so that their ports are in grace even after kill -9. */
const SAVE_LISTENERS_TICKS = 30;
const PRUNE_TICKS = 3600;
/** Actions that the daemon waits for when it stops: `actions.timeout` may be minutes. */
const SETTLE_MS = 5000;

/** What changes with the configuration. */
export interface UpkeepOccasion {
  /** The configuration. */
  readonly config: Config;
  /** The configuration at work; `undefined` before the trap is armed. */
  readonly watch: Watch | undefined;
  /** The engine and the enforcer. */
  readonly engineSetup: EngineSetup;
}

/** What is kept up. */
export interface UpkeepParts {
  /** The bans. */
  readonly bans: Bans;
  /** Where they are kept. */
  readonly state: State;
  /** Where they are told. */
  readonly recorder: Recorder;
  /** Runs commands. */
  readonly responder: Responder;
  /** Facts of this host. */
  readonly host: HostFacts;
  /** The time. */
  readonly clock: BootClock;
  /** Write no file. */
  readonly dryRun: boolean;
  /** What is at work at this moment. */
  readonly current: () => UpkeepOccasion;
  /** Called at the end of each round. */
  readonly onRound: () => void;
  /** Tells the log something about the daemon itself. */
  readonly notice: (level: Level, message: string) => void;
}

/** Looks after bans, rules and files. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #ticking: Promise<void> | undefined;
  #expiring: Promise<void> | undefined;
  #isPaused = false;
  /** Why the rules could not be put back the last time; said once for each reason. */
  #healError: string | undefined;
  readonly #seizures = new SeizureBounds();
  #blocked: BlockedFile | undefined;
  #blockedError: string | undefined;

  /** Does nothing before {@link Upkeep.start}. */
  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** Take up what an earlier run left: tell what it could not tell, and put its bans back. Before the trap is armed. */
  async resume(): Promise<void> {
    const { state, recorder } = this.#parts;
    this.#tellState();
    const events = state.unrecorded().map(eventOfBan).filter((event) => event !== undefined);
    if (recorder.record(events).isWritten) state.markRecorded();
    await this.restore("at start");
  }

  /** From now on look after everything once a second. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#reroute().catch((error) => this.#defect(error));
  }

  /** Make the firewall and hosts.deny agree with the bans, and say that they do. `when`: for the log. */
  async restore(when: string): Promise<void> {
    const { bans, clock, notice } = this.#parts;
    const started = clock.monotonicMs();
    const failures = await bans.restore();
    const took = Math.round(clock.monotonicMs() - started);
    if (bans.active > 0) {
      notice("notice", `${quantity(bans.active, "ban is", "bans are")} in force ${when} (${took} ms)`);
    }
    this.#tellFailures("could not be restored", failures);
  }

  /** Replace what is at work: no round sees it half replaced, and none puts back what is being taken down. */
  async between(replace: () => Promise<void>): Promise<void> {
    this.#isPaused = true;
    try {
      await this.#ticking;
      await replace();
    } finally {
      this.#isPaused = false;
    }
  }

  /** Stop, once what is going on has ended; a command that takes longer is not waited for. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
    const settled = this.#parts.bans.settled();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([settled, new Promise<void>((resolve) => timer = setTimeout(resolve, SETTLE_MS))]);
    clearTimeout(timer);
    this.#saveListeners();
  }

  /** One thing after the other, and never two rounds at once. */
  #tick(): void {
    if (this.#isPaused) return;
    this.#ticking ??= this.#round().catch((error) => this.#defect(error))
      .finally(() => this.#ticking = undefined);
  }

  async #round(): Promise<void> {
    const { host, state, recorder, current, onRound } = this.#parts;
    this.#ticks++;
    host.protected.refreshSessions();
    current().watch?.tick();
    // Not waited for: taking a ban back may run commands, and a flushed ruleset must not wait for them.
    this.#expiring ??= this.#parts.bans.expire().catch((error) => this.#defect(error))
      .finally(() => this.#expiring = undefined);
    await this.#heal();
    state.tick();
    this.#tellState();
    if (recorder.tick()) state.markRecorded();
    this.#writeBlocked();
    this.#tellSeizures();
    this.#tellUnanswered();
    if (this.#ticks % SAVE_LISTENERS_TICKS === 0) this.#saveListeners();
    if (this.#ticks % PRUNE_TICKS === 0) state.prune(current().config.files.keep);
    onRound();
  }

  /** Somebody flushed the ruleset, or a firewall was reloaded over it: put everything back, and say so once. */
  async #heal(): Promise<void> {
    const { responder, current, notice } = this.#parts;
    const { engineSetup, watch } = current();
    const health = await engineSetup.check();
    // Whoever bans in the meantime sets up what is missing, but knows of no ban except for its own.
    const wasMended = responder.takeMended();
    if (health.ok && !wasMended) return;
    if (this.#healError === undefined) {
      const missing = health.ok ? "our rules" : health.missing;
      notice("warning", `Somebody removed ${missing}; putting it back with all bans`);
    }
    try {
      await engineSetup.setup();
      watch?.publish();
      await this.restore("after the flush");
      this.#healError = undefined;
    } catch (error) {
      const message = messageOf(error);
      if (message !== this.#healError) {
        notice("err", `It could not be put back: ${message}; trying again each second`);
      }
      this.#healError = message;
    }
  }

  /** After a boot the rules of `kill_route` are gone. */
  async #reroute(): Promise<void> {
    if (this.#parts.current().config.actions.kill_route === undefined) return;
    const outcomes = await reroute(this.#parts);
    if (outcomes.length === 0) return;
    const count = quantity(outcomes.length, "ban");
    this.#parts.notice(
      "notice",
      `kill_route was run again for ${count}, because the machine was booted since`,
    );
    this.#tellFailures("could not be made again", outcomes.filter((outcome) => !outcome.ok));
  }

  /** The first of each kind stands for all: a hundred thousand bans may fail for one reason. */
  #tellFailures(what: string, failures: readonly Outcome[]): void {
    const kinds = new Map<string, number>();
    for (const outcome of failures) {
      const kind = `${what} (${outcome.action}): ${outcome.ok ? "" : outcome.error}`;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    for (const [kind, count] of kinds) {
      this.#parts.notice("err", count === 1 ? `A ban ${kind}` : `${count} bans ${kind}`);
    }
  }

  #tellState(): void {
    const { state, notice } = this.#parts;
    for (const { level, message } of state.takeNews()) notice(level, message);
    if (state.takeLateBans().length === 0) return;
    this.restore("now that the state can be read").then(() => this.#reroute())
      .catch((error) => this.#defect(error));
  }

  /** The bounds that bans reach are told where bans are made; those of the sets for a moment are read off the table. */
  #tellSeizures(): void {
    const { clock, current, notice } = this.#parts;
    const { config, engineSetup } = current();
    if (engineSetup.table === undefined) return;
    const { unseized } = engineSetup.table.counters();
    const text = this.#seizures.notice(config.block, { unseized, nowMs: clock.monotonicMs() });
    if (text !== undefined) notice("warning", text);
  }

  /** What the kernel does not say makes the detector see less, or protect by old facts. */
  #tellUnanswered(): void {
    const { host, clock, current, notice } = this.#parts;
    const { watch } = current();
    for (const unanswered of [...host.unanswered(), ...(watch === undefined ? [] : [watch.unanswered])]) {
      const text = unanswered.takeNotice(clock.monotonicMs());
      if (text !== undefined) notice("warning", text);
    }
  }

  /** PortSentry's list of blocked hosts, if one is asked for. A mishap is told once. */
  #writeBlocked(): void {
    const { state, clock, dryRun, current, notice } = this.#parts;
    const path = dryRun ? undefined : current().config.files.blocked;
    if (path !== this.#blocked?.path) {
      this.#blocked = path === undefined ? undefined : new BlockedFile(path, clock);
    }
    const result = this.#blocked?.update(state) ?? { ok: true };
    const error = result.ok ? undefined : result.error;
    if (error !== undefined && error !== this.#blockedError) notice("err", error);
    this.#blockedError = error;
  }

  #saveListeners(): void {
    const { state, clock, current } = this.#parts;
    const { config, watch } = current();
    const graceSeconds = config.detect.grace;
    saveListeners(state, watch?.listeners() ?? [], { now: clock.now(), graceSeconds });
  }

  #defect(error: unknown): void {
    this.#parts.notice("err", `Internal error: ${messageOf(error)}`);
  }
}
