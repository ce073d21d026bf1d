/**
 * Giving up a transaction that failed.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";

/** Gives up the transaction, without an error of its own that would hide what made it fail. */
export function rollback(database: DatabaseSync): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has rolled back by itself, as it does when the disk is full (sqlite.org/lang_transaction.html, section 2.3).
  }
}
