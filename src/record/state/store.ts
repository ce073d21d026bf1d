/**
 * The state database as something that may fail at any moment: opened when possible, moved aside when corrupt, tried
 * again later, and never a reason to stop.
 *
 * Invariant: `write` either did the whole of what it was asked, in one transaction, or nothing.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../system/clock.ts";
import { type Fault, faultOf, moveAside, openDatabase, openReadOnly } from "./database_file.ts";
import { rollback } from "./rollback.ts";

/** Waiting time after a failed attempt, in milliseconds; doubled after each, up to the longest. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** What is told of the database when something changes. */
export interface StateNews {
  /** How loud. */
  readonly level: "notice" | "err";
  /** One line. */
  readonly message: string;
}

/** A database file and its mishaps. */
export class Store implements Disposable {
  readonly #path: string;
  readonly #clock: Pick<Clock, "now" | "monotonicMs">;
  #database: DatabaseSync | undefined;
  #isReadOnly = false;
  #inode: number | null = null;
  #generation = 0;
  #fault: Fault | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retryAt = 0;
  #news: StateNews[] = [];

  /** Opens the file if it can. */
  constructor(path: string, clock: Pick<Clock, "now" | "monotonicMs">) {
    this.#path = path;
    this.#clock = clock;
    this.#open();
  }

  /** Why nothing can be written at this moment. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Whether the next write may be attempted: all is well, or the waiting time is over. */
  get mayWrite(): boolean {
    return this.#fault === undefined || this.#clock.monotonicMs() >= this.#retryAt;
  }

  /** Another number for each time that the file was opened for writing: its content may be another. */
  get generation(): number {
    return this.#generation;
  }

  /** What was not told yet. */
  takeNews(): readonly StateNews[] {
    return this.#news.splice(0);
  }

  /** Write, in one transaction. @returns Whether it is done. */
  write(body: (database: DatabaseSync) => void): boolean {
    if (!this.mayWrite) return false;
    if (this.#database === undefined || this.#isReadOnly || this.#fault?.kind === "unavailable") this.#open();
    const database = this.#database;
    if (database === undefined || this.#isReadOnly) return false;
    try {
      database.exec("BEGIN IMMEDIATE");
      body(database);
      database.exec("COMMIT");
      this.#recovered();
      return true;
    } catch (error) {
      rollback(database);
      this.#failed(error);
      return false;
    }
  }

  /** Read; `undefined` when that is not possible. */
  read<T>(body: (database: DatabaseSync) => T): T | undefined {
    if (this.#database === undefined) return undefined;
    try {
      return body(this.#database);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /**
   * Whether the path still names the file that is open; if not, the file is closed and a new one is opened.
   *
   * A file that was deleted or replaced would go on to take writes that nobody ever finds again.
   */
  isSameFile(): boolean {
    if (this.#database === undefined || inodeOf(this.#path) === this.#inode) return true;
    this.#tell("err", `State database ${this.#path} was removed or replaced; it is written anew`);
    this.#close();
    this.#open();
    return false;
  }

  /** Close the file. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#close();
  }

  #open(): void {
    this.#close();
    try {
      this.#openForWriting();
    } catch (error) {
      this.#failed(error);
    }
  }

  #openForWriting(): void {
    this.#database = openDatabase(this.#path);
    this.#isReadOnly = false;
    this.#inode = inodeOf(this.#path);
    this.#generation++;
  }

  #failed(error: unknown): void {
    const fault = faultOf(error);
    if (fault.kind !== this.#fault?.kind) {
      this.#tell(
        "err",
        `Cannot use the state database ${this.#path}: ${fault.message}; bans are kept in memory only and would not ` +
          "survive a restart",
      );
    }
    this.#fault = fault;
    if (fault.kind === "corrupt") this.#setAside();
    const isReadable = fault.kind === "read-only" || fault.kind === "unavailable";
    if (this.#database === undefined && isReadable) this.#openReadOnly();
    this.#retryAt = this.#clock.monotonicMs() + this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }

  /** A corrupt file makes room for a new one at once, unless that fails as well. */
  #setAside(): void {
    this.#close();
    try {
      const aside = moveAside(this.#path, this.#clock.now());
      if (aside === undefined) {
        this.#tell("err", `Too many corrupt copies beside ${this.#path}; look at them and remove them`);
        return;
      }
      this.#tell("err", `The corrupt state database is kept as ${aside}; a new one is begun`);
      this.#openForWriting();
      this.#recovered();
    } catch (error) {
      this.#fault = faultOf(error);
    }
  }

  #openReadOnly(): void {
    try {
      this.#database = openReadOnly(this.#path);
      this.#isReadOnly = true;
      this.#inode = inodeOf(this.#path);
    } catch {
      // Not even that: the fault that brought us here says enough.
    }
  }

  #recovered(): void {
    if (this.#fault !== undefined) this.#tell("notice", `The state database ${this.#path} is written again`);
    this.#fault = undefined;
    this.#retryMs = FIRST_RETRY_MS;
  }

  #close(): void {
    try {
      this.#database?.close();
    } catch {
      // Closing a damaged file may fail; it is given up in any case.
    }
    this.#database = undefined;
  }

  #tell(level: StateNews["level"], message: string): void {
    if (this.#news.length < 100) this.#news.push({ level, message });
  }
}

function inodeOf(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return null;
  }
}
