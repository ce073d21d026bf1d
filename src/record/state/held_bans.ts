/**
 * The bans in force, in memory, and how a database is brought to agree with them.
 * @module
 */
import { formatPrefix, type Prefix, prefixKey } from "../../net/prefix.ts";
import { type ActiveBan, immediateEnd, type NewBan } from "./ban.ts";
import type { BanTable, StoredBan } from "./ban_table.ts";
import { type Moment, secondsLeft } from "./expiry.ts";

/** A ban in force. Small: there may be a hundred thousand. */
interface HeldBan extends Omit<ActiveBan, "secondsLeft"> {
  readonly seconds: number | undefined;
  /** When it ends, on the boot clock, which nobody can set; `Infinity`: never. */
  readonly untilBoot: number;
}

/** The bans in force. Bounded by whoever adds (`block.max_active`). */
export class HeldBans {
  readonly #bans = new Map<number | string, HeldBan>();

  /** How many. */
  get size(): number {
    return this.#bans.size;
  }

  /** All of them, with what they have left. */
  *active(bootSeconds: number): Iterable<ActiveBan> {
    for (const held of this.#bans.values()) yield activeBan(held, bootSeconds);
  }

  /** The ban of exactly this target. */
  get(target: Prefix, bootSeconds: number): ActiveBan | undefined {
    const held = this.#bans.get(prefixKey(target));
    return held === undefined ? undefined : activeBan(held, bootSeconds);
  }

  /** Add a ban in place of an earlier one of the same target, unless it is none that is in force. */
  add(ban: NewBan, untilBoot: number): void {
    if (immediateEnd(ban) !== undefined) return;
    const { target, since, seconds, offence, reason, ports } = ban;
    const { port, protocol } = ban.evidence.at(-1) ?? { port: undefined, protocol: undefined };
    const held = { target, since, seconds, untilBoot, offence, reason, ports, port, protocol };
    this.#bans.set(prefixKey(target), held);
  }

  /** Add a ban that was found in the file, unless its target has one already. @returns Whether it was added. */
  addStored(ban: StoredBan, clocks: { readonly anchor: Moment; readonly now: Moment }): boolean {
    const key = prefixKey(ban.target);
    if (this.#bans.has(key)) return false;
    const { target, since, seconds, expires, offence, reason, ports, port, protocol } = ban;
    const left = expires === undefined
      ? Infinity
      : secondsLeft({ expires, seconds: seconds ?? Infinity }, clocks);
    const untilBoot = clocks.now.boot + left;
    this.#bans.set(key, { target, since, seconds, untilBoot, offence, reason, ports, port, protocol });
    return true;
  }

  /** Take a ban out; nothing happens if there is none. */
  remove(target: Prefix): void {
    this.#bans.delete(prefixKey(target));
  }

  /** Make the bans in force of a table those in memory: to be used on a file that is not the one we knew. */
  writeTo(table: BanTable, anchor: Moment, time: number): void {
    const stored = new Map(Array.from(table.inForce(), ({ target }) => [prefixKey(target), target]));
    for (const [key, target] of stored) {
      if (!this.#bans.has(key)) table.end(formatPrefix(target), { time, cause: "expired", outcomes: [] });
    }
    for (const [key, held] of this.#bans) {
      // The probes that led to it were lost with the old file.
      const ban = { ...held, probes: 0, evidence: [], outcomes: [] };
      const expires = expiryOf(held.untilBoot, anchor);
      if (!stored.has(key)) table.insert(ban, { expires, boot: anchor.bootId });
    }
  }
}

/** A time of the boot clock as it is stored; see `expiry.ts`. */
export function expiryOf(untilBoot: number, anchor: Moment): number | undefined {
  return untilBoot === Infinity ? undefined : anchor.wall + (untilBoot - anchor.boot);
}

function activeBan(held: HeldBan, bootSeconds: number): ActiveBan {
  const { target, since, offence, reason, ports, port, protocol } = held;
  return { target, since, secondsLeft: held.untilBoot - bootSeconds, offence, reason, ports, port, protocol };
}
