/**
 * The sets and counters of our table, by name.
 *
 * Sets outlive the rules: a reload or a restart keeps what is in them. One is made anew only when its definition changed.
 * @module
 */
import { NFT_SET } from "../../net/nf_tables.ts";
import { type RulesetPlan, seizes } from "./plan.ts";

/** The name of our table; its family is `inet`. Nothing outside it is ever touched. */
export const TABLE = "portsnare";

/** The counters of our table, which a reload keeps. */
export const COUNTERS = {
  /** Packets that fell into the trap. */
  trapped: "trapped",
  /** Trapped packets of sources in quarantine: dropped, and evidence. */
  held: "held",
  /** Packets of banned sources that were dropped. */
  blocked: "blocked",
  /** Trapped packets whose source was not seized because `block.rate` or `block.max_active` was reached. */
  unseized: "unseized",
} as const;

/** Within a transaction the old entry of a renewed ban still counts. */
const HEADROOM = 4096;
const REPEAT_SIZE = 65536;
const ASKED_SIZE = 65536;

/** A set of our table. */
export interface SetDefinition {
  /** Its name. */
  readonly name: string;
  /** The type of its keys, as nft spells it. */
  readonly type: string;
  /** Length of a key; each part is padded to four bytes. */
  readonly keyBytes: number;
  /** Bits of {@link NFT_SET}. */
  readonly flags: number;
  /** How many elements it may hold; 0: only the daemon fills it. */
  readonly size: number;
  /** How long an element stays unless it says otherwise; 0: for ever. */
  readonly timeoutSeconds: number;
  /** What it is for, for whoever lists the table. */
  readonly comment: string;
}

/** Every set that this plan needs. */
export function setsOf(plan: RulesetPlan): readonly SetDefinition[] {
  const sets = [...listSets(), ...banSets(plan)];
  if (seizes(plan, "ban")) sets.push(...seizedSets(plan));
  if (plan.quarantineSeconds > 0) sets.push(...quarantineSets(plan));
  if (plan.trap !== undefined) sets.push(...gracedSets());
  if (seizes(plan, "quarantine")) sets.push(...repeatSets(plan));
  if ((plan.trap?.ports.udp.size ?? 0) > 0) sets.push(...askedSets());
  return sets;
}

/**
 * The definition as nft reads it. A command of its own: nft 0.9.8 (Debian 11) ends by SIGSEGV when a new set with a
 * concatenated type stands inside of the table, in a file that also flushes a set.
 */
export function setText(set: SetDefinition): string {
  const flags = [
    (set.flags & NFT_SET.interval) === 0 ? [] : ["interval"],
    (set.flags & NFT_SET.dynamic) === 0 ? [] : ["dynamic"],
    (set.flags & NFT_SET.timeout) === 0 ? [] : ["timeout"],
  ].flat();
  return [
    `add set inet ${TABLE} ${set.name} {`,
    `\ttype ${set.type}`,
    ...(flags.length === 0 ? [] : [`\tflags ${flags.join(",")}`]),
    ...(set.timeoutSeconds === 0 ? [] : [`\ttimeout ${set.timeoutSeconds}s`]),
    ...(set.size === 0 ? [] : [`\tsize ${set.size}`]),
    `\tcomment "${set.comment}"`,
    "}",
  ].join("\n");
}

function listSets(): SetDefinition[] {
  return [
    ...both({ name: "ignored", flags: NFT_SET.interval, comment: "never reported, never banned" }),
    ...both({ name: "protected", flags: 0, comment: "reported, never banned" }),
  ];
}

/** Single addresses are in hash sets, whose cost does not grow; prefixes, which only people ban, in interval sets. */
function banSets({ maxActive }: RulesetPlan): SetDefinition[] {
  return [
    ...both({
      name: "banned",
      flags: NFT_SET.timeout,
      size: maxActive + HEADROOM,
      comment: "everything from these is dropped",
    }),
    ...both({
      name: "banned_net",
      flags: NFT_SET.interval | NFT_SET.timeout,
      comment: "everything from these is dropped, except from protected addresses",
    }),
  ];
}

function seizedSets({ maxActive, provisionalSeconds }: RulesetPlan): SetDefinition[] {
  return both({
    name: "seized",
    flags: NFT_SET.dynamic | NFT_SET.timeout,
    size: maxActive,
    timeoutSeconds: provisionalSeconds,
    comment: "banned by the kernel at the first probe, until the daemon has decided",
  });
}

function quarantineSets({ maxActive, quarantineSeconds }: RulesetPlan): SetDefinition[] {
  return both({
    name: "quarantined",
    flags: NFT_SET.dynamic | NFT_SET.timeout,
    size: maxActive,
    timeoutSeconds: quarantineSeconds,
    comment: "touched a trap: may open nothing new for a moment",
  });
}

function gracedSets(): SetDefinition[] {
  const comment = "ports that have a listener, or had one lately: no trap";
  return [
    {
      name: "graced",
      type: "inet_proto . inet_service",
      keyBytes: 8,
      flags: NFT_SET.timeout,
      size: 0,
      timeoutSeconds: 0,
      comment,
    },
    ...both({
      name: "graced",
      type: ". inet_proto . inet_service",
      bytes: 8,
      flags: NFT_SET.timeout,
      comment,
    }),
  ];
}

function repeatSets({ windowSeconds }: RulesetPlan): SetDefinition[] {
  return both({
    name: "repeat",
    type: ". inet_proto . inet_service",
    bytes: 8,
    flags: NFT_SET.dynamic | NFT_SET.timeout,
    size: REPEAT_SIZE,
    timeoutSeconds: windowSeconds,
    comment: "asked for this closed port already: no new quarantine for it",
  });
}

function askedSets(): SetDefinition[] {
  return both({
    name: "asked",
    type: ". inet_service . inet_service",
    bytes: 8,
    flags: NFT_SET.dynamic | NFT_SET.timeout,
    size: ASKED_SIZE,
    timeoutSeconds: 120,
    comment: "remote address, remote port, our port: an answer may still come",
  });
}

/** The same set for both families, 4 and 6 behind the name; `type` is what follows the address. */
function both(set: {
  readonly name: string;
  readonly flags: number;
  readonly comment: string;
  readonly type?: string;
  readonly bytes?: number;
  readonly size?: number;
  readonly timeoutSeconds?: number;
}): SetDefinition[] {
  return ([["4", "ipv4_addr", 4], ["6", "ipv6_addr", 16]] as const).map(([suffix, type, bytes]) => ({
    name: set.name + suffix,
    type: set.type === undefined ? type : `${type} ${set.type}`,
    keyBytes: bytes + (set.bytes ?? 0),
    flags: set.flags,
    size: set.size ?? 0,
    timeoutSeconds: set.timeoutSeconds ?? 0,
    comment: set.comment,
  }));
}
