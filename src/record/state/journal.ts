/**
 * Changes that are not yet in the database: usually for the length of one call, but for as long as the disk is full.
 * @module
 */
import { formatPrefix } from "../../net/prefix.ts";
import type { Outcome } from "../../respond/backend.ts";
import { immediateEnd, type NewBan, type Release } from "./ban.ts";
import type { BanTable } from "./ban_table.ts";
import type { Moment } from "./expiry.ts";
import { expiryOf } from "./held_bans.ts";

/** Something that happened and is to be kept. */
export type Change =
  /** A ban. `untilBoot`: when it ends on the boot clock; `Infinity`: never. */
  | { readonly kind: "ban"; readonly ban: NewBan; readonly untilBoot: number }
  /** The end of one. */
  | { readonly kind: "release"; readonly release: Release }
  /** What an action did that took longer than the ban. */
  | { readonly kind: "outcomes"; readonly target: string; readonly outcomes: readonly Outcome[] };

/** No more changes wait than this. Above it the oldest is forgotten: its ban stays in force, its story is lost. */
const MAX_WAITING = 100_000;

/** The changes that wait, in order. */
export class Journal {
  #changes: Change[] = [];
  #forgotten = 0;

  /** How many wait. */
  get length(): number {
    return this.#changes.length;
  }

  /** How many found no room, ever. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Add one. */
  push(change: Change): void {
    if (this.#changes.length >= MAX_WAITING) {
      // A tenth at once, for shifting a long array by one each time costs more than the changes are worth.
      this.#forgotten += this.#changes.splice(0, MAX_WAITING / 10).length;
    }
    this.#changes.push(change);
  }

  /** Write them all. To be called within a transaction; {@link Journal.clear} when it was committed. */
  apply(table: BanTable, anchor: Moment): void {
    for (const change of this.#changes) applyChange(change, table, anchor);
  }

  /** They are in the database. */
  clear(): void {
    this.#changes = [];
  }

  /** The bans among them, oldest first. */
  bans(): readonly NewBan[] {
    return this.#changes.flatMap((change) => change.kind === "ban" ? [change.ban] : []);
  }
}

function applyChange(change: Change, table: BanTable, anchor: Moment): void {
  switch (change.kind) {
    case "ban": {
      const { ban, untilBoot } = change;
      const cause = immediateEnd(ban);
      if (cause === undefined) {
        table.end(formatPrefix(ban.target), { time: ban.since, cause: "replaced", outcomes: [] });
      }
      const expires = expiryOf(untilBoot, anchor);
      const boot = anchor.bootId;
      table.insert(ban, cause === undefined ? { expires, boot } : { expires, boot, time: ban.since, cause });
      return;
    }
    case "release":
      table.end(formatPrefix(change.release.target), change.release);
      return;
    case "outcomes":
      table.addOutcomes(change.target, change.outcomes, anchor.bootId);
      return;
  }
}
