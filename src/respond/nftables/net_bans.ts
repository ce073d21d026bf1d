/**
 * Bans of prefixes. Only people make them, so there are few: at each change their sets are laid out anew, without overlaps.
 * @module
 */
import { SyscallError } from "../../errors.ts";
import { type Family, familyOf } from "../../net/address.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { Ban } from "../backend.ts";
import { intervalElement, intervalOf, layIntervals, prefixesOf, readIntervals } from "./interval.ts";
import type { ElementError, SetElements } from "./set_elements.ts";

interface NetBan {
  readonly target: Prefix;
  /** On the clock of {@link NetBansOptions.monotonicMs}; `Infinity`: never. */
  readonly until: number;
}

/** What {@link NetBans} needs. */
export interface NetBansOptions {
  /** The elements of our table. */
  readonly elements: SetElements;
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
}

const FAMILIES = [4, 6] as const;

/** The banned prefixes of both families. */
export class NetBans {
  readonly #options: NetBansOptions;
  /** By text, because the kernel's intervals do not say which prefixes they were made of. */
  #bans = new Map<string, NetBan>();

  /** Knows of none before {@link NetBans.adopt}. */
  constructor(options: NetBansOptions) {
    this.#options = options;
  }

  /** Take over what a previous run left in the kernel. */
  adopt(): void {
    const now = this.#options.monotonicMs();
    const known = [...this.#current()];
    for (const { target, seconds } of this.list()) {
      if (known.some((ban) => covers(ban.target, target))) continue;
      const until = seconds === undefined ? Infinity : now + seconds * 1000;
      this.#bans.set(formatPrefix(target), { target, until });
    }
  }

  /** Ban these; an existing ban gets the new time. One result each, in order. */
  put(bans: readonly Ban[]): readonly ElementError[] {
    const now = this.#options.monotonicMs();
    return this.#change(bans.map((ban) => ban.target), (next) => {
      for (const { target, seconds } of bans) {
        next.set(formatPrefix(target), {
          target,
          until: seconds === undefined ? Infinity : now + seconds * 1000,
        });
      }
    });
  }

  /** Lift these. One result each, in order. */
  remove(targets: readonly Prefix[]): readonly ElementError[] {
    return this.#change(targets, (next) => {
      for (const target of targets) next.delete(formatPrefix(target));
    });
  }

  /** What the kernel enforces, as the fewest prefixes. */
  list(): readonly Ban[] {
    return FAMILIES.flatMap((family) =>
      readIntervals(this.#options.elements.list(setName(family)), family).flatMap((interval) =>
        prefixesOf(interval, family).map((target) => ({
          target,
          seconds: interval.until === Infinity ? undefined : Math.ceil(interval.until / 1000),
        }))
      )
    );
  }

  #change(targets: readonly Prefix[], edit: (next: Map<string, NetBan>) => void): readonly ElementError[] {
    const next = new Map(this.#current().map((ban) => [formatPrefix(ban.target), ban]));
    edit(next);
    const errors = new Map<Family, ElementError>();
    for (const family of new Set(targets.map((target) => familyOf(target.address)))) {
      errors.set(family, this.#lay(family, [...next.values()]));
    }
    // A family that the kernel refused keeps what it had.
    const refused = (ban: NetBan): boolean => errors.get(familyOf(ban.target.address)) !== undefined;
    const kept = [...this.#bans].filter(([, ban]) => refused(ban));
    this.#bans = new Map([...[...next].filter(([, ban]) => !refused(ban)), ...kept]);
    return targets.map((target) => errors.get(familyOf(target.address)));
  }

  #lay(family: Family, bans: readonly NetBan[]): ElementError {
    const now = this.#options.monotonicMs();
    const intervals = bans.filter(({ target }) => familyOf(target.address) === family)
      .map(({ target, until }) => ({ ...intervalOf(target), until }));
    const elements = layIntervals(intervals).map(({ until, ...interval }) => ({
      ...intervalElement(interval, family),
      ...(until === Infinity ? {} : { timeoutMs: until - now }),
    }));
    try {
      this.#options.elements.replace(setName(family), elements);
      return undefined;
    } catch (error) {
      if (error instanceof SyscallError) return error.code;
      throw error;
    }
  }

  #current(): readonly NetBan[] {
    const now = this.#options.monotonicMs();
    return [...this.#bans.values()].filter((ban) => ban.until > now);
  }
}

function setName(family: Family): string {
  return `banned_net${family}`;
}

function covers(outer: Prefix, inner: Prefix): boolean {
  if (familyOf(outer.address) !== familyOf(inner.address)) return false;
  const [a, b] = [intervalOf(outer), intervalOf(inner)];
  return a.first <= b.first && a.end >= b.end;
}
