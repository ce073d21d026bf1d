/**
 * What must outlive the process: the bans in force, the story of each, and ports that had a listener.
 *
 * Invariants: memory knows every ban in force, whatever becomes of the file. A change reaches memory at once and the
 * file in the same call if that works; if not, it waits in the journal, and the file is brought to agree with memory as
 * soon as it can be written. Nothing here throws because of the file.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Address } from "../../net/address.ts";
import { formatPrefix, type Prefix, prefixContains } from "../../net/prefix.ts";
import type { Outcome } from "../../respond/backend.ts";
import type { BootClock } from "../../system/clock.ts";
import { type ActiveBan, type BanStory, immediateEnd, type NewBan, type Release } from "./ban.ts";
import { BanTable } from "./ban_table.ts";
import type { FaultKind } from "./database_file.ts";
import { clockStep, type Moment, steadyWall } from "./expiry.ts";
import { HeldBans } from "./held_bans.ts";
import { Journal } from "./journal.ts";
import {
  readAnchor,
  readListeners,
  readRecorded,
  type SeenListener,
  writeAnchor,
  writeListeners,
} from "./meta_table.ts";
import { type StateNews, Store } from "./store.ts";

/** Whether what happens is kept. */
export type StateHealth =
  | { readonly ok: true }
  /** `waiting`: changes that are only in memory; `forgotten`: those that found no room there, ever. */
  | {
    readonly ok: false;
    readonly kind: FaultKind;
    readonly message: string;
    readonly waiting: number;
    readonly forgotten: number;
  };

/** Past bans are forgotten above this number, the oldest first, even if they are to be kept longer. */
const MAX_PAST_BANS = 250_000;
/** How often the anchor is moved on, in milliseconds. */
const HOUSEKEEPING_MS = 60_000;

/** The state of the daemon. */
export class State implements Disposable {
  readonly #clock: BootClock;
  readonly #store: Store;
  readonly #held = new HeldBans();
  readonly #journal = new Journal();
  /** The moment that the deadlines in the file refer to. */
  #anchor: Moment;
  /** The opening of the file that memory agrees with; 0: none yet. */
  #agreed = 0;
  #late: Prefix[] = [];
  readonly #tables = new WeakMap<DatabaseSync, BanTable>();
  /** Some bans have been written to the log, and the file does not say so yet. */
  #isMarkDue = false;
  /** So many of the newest bans have not been written to the log. */
  #untold = 0;
  #isClosed = false;
  #version = 0;
  #housekeepingAt: number;

  /**
   * Opens the database and loads the bans in force; {@link State.health} says whether that worked. The path
   * {@link IN_MEMORY} keeps everything in memory, on purpose and without complaint.
   */
  constructor(path: string, clock: BootClock) {
    this.#clock = clock;
    this.#anchor = this.#moment();
    this.#housekeepingAt = clock.monotonicMs() + HOUSEKEEPING_MS;
    this.#store = new Store(path, clock);
    this.#save();
    // A file that can be read but not written still knows who was banned.
    if (this.#agreed === 0) this.#store.read((database) => this.#load(database));
    this.#late = [];
  }

  /** Whether what happens is kept. */
  get health(): StateHealth {
    const fault = this.#store.fault;
    if (fault === undefined) return { ok: true };
    return { ok: false, ...fault, waiting: this.#journal.length, forgotten: this.#journal.forgotten };
  }

  /** Another number after each change to the bans in force. */
  get version(): number {
    return this.#version;
  }

  /** How many bans are in force. */
  get size(): number {
    return this.#held.size;
  }

  /** The bans in force, with what they have left. Some may be over and wait to be lifted. */
  active(): Iterable<ActiveBan> {
    return this.#held.active(this.#clock.bootSeconds());
  }

  /** The ban in force of exactly this target. */
  get(target: Prefix): ActiveBan | undefined {
    return this.#held.get(target, this.#clock.bootSeconds());
  }

  /** Keep bans, in one transaction. One that failed or was only a command is kept as a story and is not in force. */
  saveBans(bans: readonly NewBan[]): void {
    this.#version++;
    this.#untold += bans.length;
    const now = this.#clock.bootSeconds();
    for (const ban of bans) {
      const untilBoot = ban.seconds === undefined ? Infinity : now + ban.seconds;
      this.#journal.push({ kind: "ban", ban, untilBoot });
      this.#held.add(ban, untilBoot);
    }
    this.#save();
  }

  /** Keep that bans are over, in one transaction. */
  saveReleases(releases: readonly Release[]): void {
    this.#version++;
    for (const release of releases) {
      this.#journal.push({ kind: "release", release });
      this.#held.remove(release.target);
    }
    this.#save();
  }

  /** Add what slower actions did to the newest ban of a target. */
  saveOutcomes(target: Prefix, outcomes: readonly Outcome[]): void {
    this.#journal.push({ kind: "outcomes", target: formatPrefix(target), outcomes });
    this.#save();
  }

  /**
   * Whom an action of this name kept out in an earlier boot of the machine, so that what it put into the kernel is gone.
   * {@link State.saveOutcomes} says that it was done again.
   */
  actedBeforeBoot(action: string): readonly Prefix[] {
    return this.#store.read((
      database,
    ) => [...this.#table(database).actedBefore(this.#clock.bootId, action)]) ??
      [];
  }

  /**
   * The bans so far have been written to the log. Kept with the next change, or at the next {@link State.tick}: a
   * daemon that is killed in between writes them once more after its next start.
   */
  markRecorded(): void {
    this.#isMarkDue = true;
    this.#untold = 0;
  }

  /** Bans that were kept but perhaps never written to the log, because the process was killed in between. */
  unrecorded(): readonly BanStory[] {
    return this.#store.read((database) => this.#table(database).after(readRecorded(database))) ?? [];
  }

  /** How many bans a target has had since a moment (default: as far back as bans are kept), those in force included. */
  offences(target: Prefix, since = 0): number {
    const text = formatPrefix(target);
    const stored = this.#store.read((database) => this.#table(database).offences(text, since));
    if (stored === undefined) return this.get(target)?.offence ?? 0;
    const waiting = this.#journal.length === 0 ? [] : this.#journal.bans();
    return stored +
      waiting.filter((ban) => formatPrefix(ban.target) === text && immediateEnd(ban) === undefined).length;
  }

  /** Everything that is known of an address: its bans and those of the prefixes around it, newest first. */
  find(address: Address): readonly BanStory[] {
    const stored = this.#store.read((database) => this.#table(database).story(address)) ?? [];
    const waiting = this.#journal.bans().filter((ban) => prefixContains(ban.target, address)).reverse();
    return [...waiting.map((ban) => this.#waitingStory(ban)), ...stored];
  }

  /** Remember which ports have a listener, and forget those last seen before a moment. @returns Whether it is kept. */
  saveListeners(listeners: readonly SeenListener[], forgetBefore: number): boolean {
    return this.#store.write((database) => writeListeners(database, listeners, forgetBefore));
  }

  /** The ports that had a listener at or after a moment. */
  listeners(since: number): readonly SeenListener[] {
    return this.#store.read((database) => readListeners(database, since)) ?? [];
  }

  /** Forget bans that ended longer ago than this. @returns How many. */
  prune(keepSeconds: number): number {
    let pruned = 0;
    this.#store.write((database) => {
      pruned = this.#table(database).prune(this.#clock.now() - keepSeconds, MAX_PAST_BANS);
    });
    return pruned;
  }

  /** To be called each second: tries again what could not be written and keeps deadlines right when clocks are set. */
  tick(): void {
    this.#store.isSameFile();
    this.#save();
    const now = this.#moment();
    if (clockStep(this.#anchor, now) !== 0) this.#write((database) => this.#moveAnchor(database, now));
    if (this.#clock.monotonicMs() >= this.#housekeepingAt) this.#keepHouse();
  }

  /** What happened to the database and was not told yet. */
  takeNews(): readonly StateNews[] {
    return this.#store.takeNews();
  }

  /** Bans that were found in the file only now, because it could not be read at the start: they need enforcing. */
  takeLateBans(): readonly Prefix[] {
    return this.#late.splice(0);
  }

  /** Write what is left and close the file. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#save();
    this.#keepHouse();
    this.#store[Symbol.dispose]();
  }

  #save(): void {
    // Twice: a corrupt file is moved aside within the first attempt, and the second writes to the new one.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (this.#journal.length === 0 && !this.#isMarkDue && this.#isAgreed) return;
      if (this.#write((database) => this.#writeAll(database))) {
        this.#journal.clear();
        this.#isMarkDue = false;
        this.#agreed = this.#store.generation;
        return;
      }
      if (this.#store.fault !== undefined) return;
    }
  }

  #writeAll(database: DatabaseSync): void {
    const table = this.#table(database);
    const isNew = !this.#isAgreed;
    if (isNew) {
      this.#anchor = readAnchor(database) ?? this.#moment();
      this.#setAnchor(database, this.#moment());
    }
    this.#journal.apply(table, this.#anchor);
    if (isNew && this.#agreed === 0) this.#load(database);
    else if (isNew) this.#held.writeTo(table, this.#anchor, this.#clock.now());
    if (this.#isMarkDue) table.markRecorded(this.#untold);
  }

  /** The first time: the file knows who is banned. */
  #load(database: DatabaseSync): void {
    const clocks = { anchor: readAnchor(database) ?? this.#anchor, now: this.#moment() };
    for (const ban of this.#table(database).inForce()) {
      if (this.#held.addStored(ban, clocks)) this.#late.push(ban.target);
    }
    this.#version++;
  }

  /** Whether the file is the one whose bans, and whose anchor, memory knows. */
  get #isAgreed(): boolean {
    return this.#agreed !== 0 && this.#agreed === this.#store.generation;
  }

  /** As {@link State.#setAnchor}, unless the file was just opened: then its anchor must be read first. */
  #moveAnchor(database: DatabaseSync, now: Moment): void {
    if (this.#isAgreed) this.#setAnchor(database, now);
  }

  /** Makes `now` the moment that stored deadlines refer to, moving them if the wall clock was set since. */
  #setAnchor(database: DatabaseSync, now: Moment): void {
    const step = clockStep(this.#anchor, now);
    if (step !== 0) this.#table(database).shift(step);
    const anchor = step === 0 ? { ...now, wall: steadyWall(this.#anchor, now) } : now;
    writeAnchor(database, anchor);
    this.#anchor = anchor;
  }

  #keepHouse(): void {
    this.#housekeepingAt = this.#clock.monotonicMs() + HOUSEKEEPING_MS;
    this.#write((database) => this.#moveAnchor(database, this.#moment()));
  }

  /** The anchor in memory is the one in the file, also when a write was undone. */
  #write(body: (database: DatabaseSync) => void): boolean {
    const anchor = this.#anchor;
    const isDone = this.#store.write(body);
    if (!isDone) this.#anchor = anchor;
    return isDone;
  }

  #table(database: DatabaseSync): BanTable {
    const known = this.#tables.get(database) ?? new BanTable(database);
    this.#tables.set(database, known);
    return known;
  }

  #waitingStory(ban: NewBan): BanStory {
    const cause = immediateEnd(ban);
    const until = ban.seconds === undefined ? undefined : ban.since + ban.seconds;
    const isInForce = this.get(ban.target)?.since === ban.since;
    const ended = isInForce ? undefined : { time: ban.since, cause: cause ?? "expired" as const };
    return { ...ban, until, ended, releaseOutcomes: [] };
  }

  #moment(): Moment {
    return { wall: this.#clock.now(), boot: this.#clock.bootSeconds(), bootId: this.#clock.bootId };
  }
}
