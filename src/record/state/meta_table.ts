/**
 * The small tables of the state database: facts on the file itself, and ports that had a listener.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Moment } from "./expiry.ts";

/** A port that a local service waited on. */
export interface SeenListener {
  /** By which protocol. */
  readonly protocol: string;
  /** The address it was bound to; empty: all. */
  readonly address: string;
  /** The port. */
  readonly port: number;
  /** When it was last there, in seconds since the epoch. */
  readonly seen: number;
}

/** The last moment at which the stored deadlines were right on both clocks; `undefined` in a new file. */
export function readAnchor(database: DatabaseSync): Moment | undefined {
  const [bootId, boot, wall] = ["boot_id", "boot", "wall"].map((name) => readMeta(database, name));
  const [bootSeconds, wallSeconds] = [Number(boot), Number(wall)];
  if (bootId === undefined || !Number.isFinite(bootSeconds) || !Number.isFinite(wallSeconds)) {
    return undefined;
  }
  return { bootId, boot: bootSeconds, wall: wallSeconds };
}

/** The stored deadlines are right at this moment. */
export function writeAnchor(database: DatabaseSync, now: Moment): void {
  writeMeta(database, "boot_id", now.bootId);
  writeMeta(database, "boot", String(now.boot));
  writeMeta(database, "wall", String(now.wall));
}

/** Up to which row the bans were written to the log; written by {@link BanTable.markRecorded}. */
export function readRecorded(database: DatabaseSync): number {
  const id = Number(readMeta(database, "recorded") ?? 0);
  return Number.isSafeInteger(id) ? id : 0;
}

/** The listeners last seen at or after a moment. */
export function readListeners(database: DatabaseSync, since: number): readonly SeenListener[] {
  const rows = database.prepare("SELECT protocol, address, port, seen FROM listeners WHERE seen >= ?").all(
    since,
  );
  return rows.map((row) => ({
    protocol: String(row["protocol"]),
    address: String(row["address"]),
    port: Number(row["port"]),
    seen: Number(row["seen"]),
  }));
}

/** Remember listeners, and forget those last seen before a moment. */
export function writeListeners(
  database: DatabaseSync,
  listeners: readonly SeenListener[],
  forgetBefore: number,
): void {
  const statement = database.prepare(
    "INSERT INTO listeners (protocol, address, port, seen) VALUES (?, ?, ?, ?) " +
      "ON CONFLICT DO UPDATE SET seen = max(seen, excluded.seen)",
  );
  for (const { protocol, address, port, seen } of listeners) statement.run(protocol, address, port, seen);
  database.prepare("DELETE FROM listeners WHERE seen < ?").run(forgetBefore);
}

function readMeta(database: DatabaseSync, name: string): string | undefined {
  const value = database.prepare("SELECT value FROM meta WHERE name = ?").get(name)?.["value"];
  return typeof value === "string" ? value : undefined;
}

function writeMeta(database: DatabaseSync, name: string, value: string): void {
  database.prepare(
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  ).run(name, value);
}
