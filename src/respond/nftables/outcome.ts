/**
 * Requests about addresses and prefixes, sorted by the set that they are for, and what became of each.
 * @module
 */
import { type Family, familyOf } from "../../net/address.ts";
import { isHostPrefix, type Prefix } from "../../net/prefix.ts";
import type { Outcome } from "../backend.ts";
import type { ElementError } from "./set_elements.ts";
import { TABLE } from "./sets.ts";

/** Who carries out what. Each gives one result for each item, in order. */
export interface Handlers<T> {
  /** For prefixes. */
  readonly nets: (items: readonly T[]) => readonly ElementError[];
  /** For single addresses of one family. */
  readonly hosts: (items: readonly T[], family: Family) => readonly ElementError[];
}

/** Hand each item to whoever is for it. One outcome each, in order. */
export function settleEach<T>(
  items: readonly T[],
  targetOf: (item: T) => Prefix,
  to: Handlers<T>,
): readonly Outcome[] {
  const outcomes = new Map<T, Outcome>();
  const settle = (some: readonly T[], change: (some: readonly T[]) => readonly ElementError[]): void => {
    if (some.length === 0) return;
    const errors = change(some);
    for (const [index, item] of some.entries()) outcomes.set(item, outcomeOf(errors[index]));
  };
  settle(items.filter((item) => !isHostPrefix(targetOf(item))), to.nets);
  for (const family of [4, 6] as const) {
    const some = items.filter((item) =>
      isHostPrefix(targetOf(item)) && familyOf(targetOf(item).address) === family
    );
    settle(some, (hosts) => to.hosts(hosts, family));
  }
  return items.map((item) => outcomes.get(item) ?? outcomeOf("EINVAL"));
}

function outcomeOf(error: ElementError): Outcome {
  if (error === undefined) return { ok: true, action: "nftables" };
  const reason: Readonly<Record<string, string>> = {
    ENFILE: "the set of bans is full (ENFILE)",
    ENOENT: `table inet ${TABLE} is not there (ENOENT)`,
    EPERM: "this needs root or CAP_NET_ADMIN (EPERM)",
  };
  return { ok: false, action: "nftables", error: reason[error] ?? `the kernel answered ${error}` };
}
