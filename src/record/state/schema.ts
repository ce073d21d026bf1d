/**
 * The tables of the state database and how an older file becomes a newer one.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { rollback } from "./rollback.ts";

/** Each entry brings a database from the version that is its index to the next. Never change one that was released. */
const MIGRATIONS: readonly string[] = [
  `
  -- One row for each ban, attempted or made, in force or over. evidence and outcomes are JSON: they are only ever read
  -- and written as a whole, together with their ban.
  CREATE TABLE bans (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    family INTEGER NOT NULL,
    since REAL NOT NULL,
    -- Both NULL: permanent. expires is on the wall clock as it went at the anchor, see meta.
    seconds REAL,
    expires REAL,
    offence INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT,
    hostname TEXT,
    ports INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    -- Of the last probe of evidence; NULL: there is none.
    port INTEGER,
    protocol TEXT,
    evidence TEXT NOT NULL,
    outcomes TEXT NOT NULL,
    ended REAL,
    ended_cause TEXT,
    release_outcomes TEXT
  ) STRICT;
  CREATE UNIQUE INDEX bans_in_force ON bans (target) WHERE ended IS NULL;
  CREATE INDEX bans_of_target ON bans (target, since);
  CREATE INDEX bans_of_prefix ON bans (since) WHERE instr(target, '/') > 0;
  CREATE INDEX bans_over ON bans (ended) WHERE ended IS NOT NULL;
  -- Ports that had a listener, for the grace period across a restart.
  CREATE TABLE listeners (
    protocol TEXT NOT NULL,
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    seen REAL NOT NULL,
    PRIMARY KEY (protocol, address, port)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  -- boot_id, boot and wall: the anchor, a moment on both clocks. recorded: the last ban that is in the log.
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The boot in which the actions of a ban ran last: what a command put into the kernel is gone after the next one.
  ALTER TABLE bans ADD COLUMN boot TEXT;
  UPDATE bans SET boot = (SELECT value FROM meta WHERE name = 'boot_id');
  `,
  // Nothing was ever counted in it.
  "DROP TABLE IF EXISTS counters",
];

/** The version that this program writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** The file was made by a later release; nothing in it may be touched. */
export class NewerSchemaError extends Error {
  /** Says which version was found. */
  constructor(version: number) {
    super(`made by a later release (schema ${version}, this release knows ${SCHEMA_VERSION})`);
    this.name = "NewerSchemaError";
  }
}

/**
 * Bring the database to the current version, in one transaction.
 *
 * @throws {NewerSchemaError} When it is of a later one.
 */
export function migrate(database: DatabaseSync): void {
  const version = schemaVersion(database);
  if (version > SCHEMA_VERSION) throw new NewerSchemaError(version);
  if (version === SCHEMA_VERSION) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of MIGRATIONS.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec("COMMIT");
  } catch (error) {
    rollback(database);
    throw error;
  }
}

/** The definitions of a database made by this release. */
let expected: ReadonlyMap<string, string> | undefined;

/**
 * Whether every table and index is there exactly as this release defines it.
 *
 * SQLite's own check says nothing of a definition that was damaged into another valid one.
 */
export function hasSchema(database: DatabaseSync): boolean {
  expected ??= freshDefinitions();
  const actual = definitions(database);
  return [...expected].every(([name, sql]) => actual.get(name) === sql);
}

function freshDefinitions(): ReadonlyMap<string, string> {
  using database = new DatabaseSync(":memory:");
  migrate(database);
  return definitions(database);
}

function definitions(database: DatabaseSync): ReadonlyMap<string, string> {
  const rows = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema").all();
  return new Map(rows.map((row) => [`${row["type"]} ${row["name"]} ${row["tbl_name"]}`, String(row["sql"])]));
}

/** The version of the file; 0 for an empty one. */
export function schemaVersion(database: DatabaseSync): number {
  const row = database.prepare("PRAGMA user_version").get();
  return Number(row?.["user_version"] ?? 0);
}
