/**
 * Opening the state database, and what to make of one that cannot be used.
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { messageOf } from "../../errors.ts";
import { hasSchema, migrate, NewerSchemaError } from "./schema.ts";

/** Why the database cannot be used. */
export type FaultKind = "corrupt" | "full" | "locked" | "read-only" | "unavailable" | "newer";

/** What went wrong, as a value. */
export interface Fault {
  /** Which kind of mishap. */
  readonly kind: FaultKind;
  /** In words. */
  readonly message: string;
}

/** A path that stands for no file at all: for a run that must leave nothing behind. */
export const IN_MEMORY = ":memory:";

/** How long a statement waits for another process's lock, in milliseconds. The event loop stands still meanwhile. */
const LOCK_WAIT_MS = 100;
/** Corrupt files kept beside the database. When there are so many, somebody has to look, and no more are made. */
const MAX_KEPT_ASIDE = 5;

/**
 * Open the file, making it and its directory when they are missing, and bring it to the current schema.
 *
 * WAL with `synchronous = NORMAL`: what was committed survives the death of the process at any moment; the last
 * commits before a power cut may be lost, but never the file.
 * @throws When it cannot be used; see {@link faultOf}.
 */
export function openDatabase(path: string): DatabaseSync {
  if (path !== IN_MEMORY) makeFile(path);
  const database = new DatabaseSync(path, { timeout: LOCK_WAIT_MS });
  try {
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216",
    );
    migrate(database);
    if (!hasSchema(database)) throw new Error("database disk image is malformed: a definition is damaged");
    const check = database.prepare("PRAGMA quick_check(1)").get();
    if (check?.["quick_check"] !== "ok") {
      throw new Error(`database disk image is malformed: ${String(check?.["quick_check"])}`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Open the file for reading only, as it is: where it cannot be written, its bans are still good.
 *
 * @throws When it cannot be read either.
 */
export function openReadOnly(path: string): DatabaseSync {
  try {
    return readable(path);
  } catch {
    // A journalled file wants to make its index beside it, which a read-only file system refuses. Nobody else can
    // write there either, so that it may be taken as it stands (sqlite.org/wal.html, section 8).
    return readable(`${pathToFileURL(path).href}?immutable=1`);
  }
}

function readable(name: string): DatabaseSync {
  const database = new DatabaseSync(name, { readOnly: true, timeout: LOCK_WAIT_MS });
  try {
    database.prepare("SELECT count(*) FROM bans WHERE ended IS NULL").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What an error of the database means. The runtime gives SQLite's texts (sqlite3_errstr) but not its codes. */
export function faultOf(error: unknown): Fault {
  const message = messageOf(error);
  if (error instanceof NewerSchemaError) return { kind: "newer", message };
  if (
    /disk image is malformed|not a database|malformed database schema|unsupported file format/.test(message)
  ) {
    return { kind: "corrupt", message };
  }
  if (/disk is full|No space left|ENOSPC/i.test(message)) return { kind: "full", message };
  if (/is locked|table is locked/.test(message)) return { kind: "locked", message };
  if (/readonly database|Read-only file system|EROFS|Permission denied|EACCES/i.test(message)) {
    return { kind: "read-only", message };
  }
  return { kind: "unavailable", message };
}

/**
 * Move a corrupt database out of the way, its journal with it.
 *
 * @param path The database.
 * @param time Seconds since the epoch, for the new name.
 * @returns The new name, or `undefined` when it has to stay: too many are kept already.
 */
export function moveAside(path: string, time: number): string | undefined {
  const kept = [...Deno.readDirSync(dirname(path))]
    .filter((entry) => `${dirname(path)}/${entry.name}`.startsWith(`${path}.corrupt-`))
    .filter((entry) => !/-(?:wal|shm)$/.test(entry.name));
  if (kept.length >= MAX_KEPT_ASIDE) return undefined;
  let aside = `${path}.corrupt-${Math.floor(time)}`;
  for (let i = 1; kept.some((entry) => aside.endsWith(`/${entry.name}`)); i++) {
    aside = `${path}.corrupt-${Math.floor(time)}.${i}`;
  }
  Deno.renameSync(path, aside);
  for (const suffix of ["-wal", "-shm"]) {
    try {
      Deno.renameSync(path + suffix, aside + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return aside;
}

/** SQLite would make the file readable for everybody; its journal gets the mode of the file. */
function makeFile(path: string): void {
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  try {
    // Opening a FIFO would wait for somebody at its other end.
    if (!Deno.statSync(path).isFile) throw new Error(`${path} is not a regular file`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
  }
}
