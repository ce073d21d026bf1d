/**
 * The bans in force, in memory: who is kept out, and whose time is over.
 *
 * Invariants: a target is in the book at most once; every entry is either permanent or also in the expiry queue; the
 * queue may hold entries whose ban was lifted or renewed since, which are recognised by their serial and skipped.
 * @module
 */
import { type Address, hostKey, sameAddress } from "../net/address.ts";
import { formatPrefix, isHostPrefix, type Prefix, prefixContains } from "../net/prefix.ts";

/** A ban in force. */
export interface BookedBan {
  /** Whom. */
  readonly target: Prefix;
  /** The moment it ends, on the caller's clock; `Infinity`: permanent. */
  readonly until: number;
}

interface Entry extends BookedBan {
  readonly serial: number;
}

/** The bans in force. Bounded by whoever adds. */
export class BanBook {
  /** Single addresses, by {@link hostKey}. */
  readonly #hosts = new Map<number | string, Entry>();
  /** Prefixes, by text. Few: only people make them. */
  readonly #prefixes = new Map<string, Entry>();
  /** A binary min-heap by `until`. */
  readonly #queue: Entry[] = [];
  #serial = 0;

  /** How many bans are in force. */
  get size(): number {
    return this.#hosts.size + this.#prefixes.size;
  }

  /** Whether this very address is kept out, by itself or within a prefix. */
  has(address: Address): boolean {
    if (this.#hosts.has(hostKey(address))) return true;
    for (const entry of this.#prefixes.values()) {
      if (prefixContains(entry.target, address)) return true;
    }
    return false;
  }

  /** The ban of exactly this target. */
  get(target: Prefix): BookedBan | undefined {
    return isHostPrefix(target)
      ? this.#hosts.get(hostKey(target.address))
      : this.#prefixes.get(formatPrefix(target));
  }

  /** Enter a ban, in place of an earlier one of the same target. */
  add(ban: BookedBan): void {
    const entry = { ...ban, serial: this.#serial++ };
    if (isHostPrefix(ban.target)) this.#hosts.set(hostKey(ban.target.address), entry);
    else this.#prefixes.set(formatPrefix(ban.target), entry);
    if (ban.until !== Infinity) push(this.#queue, entry);
  }

  /** Strike out a ban. @returns Whether there was one. */
  remove(target: Prefix): boolean {
    return isHostPrefix(target)
      ? this.#hosts.delete(hostKey(target.address))
      : this.#prefixes.delete(formatPrefix(target));
  }

  /** Strike out and give every ban whose time is over at `now`, at most `limit` of them. */
  takeDue(now: number, limit: number): readonly BookedBan[] {
    const due: BookedBan[] = [];
    while (due.length < limit) {
      const first = this.#queue[0];
      if (first === undefined || first.until > now) break;
      pop(this.#queue);
      const current = this.get(first.target);
      if (current === undefined || !isSame(current, first)) continue;
      this.remove(first.target);
      due.push(first);
    }
    return due;
  }

  /** Every ban in force. */
  *entries(): Iterable<BookedBan> {
    yield* this.#hosts.values();
    yield* this.#prefixes.values();
  }
}

function isSame(current: BookedBan, queued: Entry): boolean {
  return "serial" in current && current.serial === queued.serial &&
    sameAddress(current.target.address, queued.target.address);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!swapUnlessOrdered(heap, parent, at)) return;
    at = parent;
  }
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  for (let at = 0;;) {
    const left = 2 * at + 1;
    const child = until(heap, left + 1) < until(heap, left) ? left + 1 : left;
    if (child >= heap.length || !swapUnlessOrdered(heap, at, child)) return;
    at = child;
  }
}

/** Puts the earlier of the two on top. @returns Whether it had to swap. */
function swapUnlessOrdered(heap: Entry[], upper: number, lower: number): boolean {
  const [above, below] = [heap[upper], heap[lower]];
  if (above === undefined || below === undefined || above.until <= below.until) return false;
  heap[upper] = below;
  heap[lower] = above;
  return true;
}

function until(heap: readonly Entry[], at: number): number {
  return heap[at]?.until ?? Infinity;
}
