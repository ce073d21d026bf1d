/**
 * A plan becomes the text of one nft transaction that makes our table what it should be.
 *
 * Rules are replaced, sets are kept: the kernel switches from the old rules to the new ones in one step, and the bans,
 * quarantines and counters of a running table stay. The comments in it are for admins who read
 * `nft list table inet portsnare`. The grammar is that of nft 0.9.8.
 * @module
 */
import { type RulesetPlan, seizes } from "./plan.ts";
import { quarantineChains } from "./quarantine_chains.ts";
import { COUNTERS, type SetDefinition, setsOf, setText, TABLE } from "./sets.ts";
import { both, type Chain, HAS_SOCKET } from "./chain.ts";
import { dispatchRules, trapChains } from "./trap_chains.ts";

/** A set as the kernel has it. */
export type ExistingSet = Pick<SetDefinition, "name" | "keyBytes" | "flags" | "size" | "timeoutSeconds">;

/** What is there already of our table. */
export interface ExistingTable {
  /** Every chain of it. */
  readonly chains: readonly string[];
  /** Every set of it, those without a name left out. */
  readonly sets: readonly ExistingSet[];
}

/** What the daemon puts into the sets along with the rules: name of the set → elements as nft writes them. */
export type SetContents = ReadonlyMap<string, readonly string[]>;

/** How {@link buildRuleset} starts and what it fills in. */
export interface RulesetOptions {
  /** Left out: the table is not there. */
  readonly existing?: ExistingTable | undefined;
  /** Sets that are named here hold exactly this afterwards. */
  readonly contents?: SetContents;
}

/** The hook priorities of the trap: nft's own name for 0 is `filter`, where firewalls put their chains. */
const TRAP_PRIORITY = { "before-firewall": -10, "after-firewall": 10 } as const;
/** In front of everything, connection tracking (-200) included: a banned flood costs two look-ups a packet. */
const GUARD_PRIORITY = -300;

/** The text for `nft -f -`. */
export function buildRuleset(plan: RulesetPlan, options: RulesetOptions = {}): string {
  const { existing, contents = new Map<string, readonly string[]>() } = options;
  const sets = setsOf(plan);
  return [
    ...(existing === undefined ? [] : removal(existing, sets, contents)),
    `add table inet ${TABLE}`,
    ...sets.map(setText),
    `table inet ${TABLE} {`,
    ...Object.values(COUNTERS).map((name) => `\tcounter ${name} { }`),
    ...chainsOf(plan).map(chainText),
    "}",
    ...sets.flatMap(({ name }) => filling(name, contents.get(name) ?? [])),
    "",
  ].join("\n");
}

/** The sets of `existing` that this plan cannot keep, and whose elements are lost when it is loaded. */
export function changedSets(plan: RulesetPlan, existing: ExistingTable): readonly string[] {
  return unusable(existing, setsOf(plan));
}

/** The chains of a plan, in the order in which they are listed. */
export function chainsOf(plan: RulesetPlan): readonly Chain[] {
  const holds = plan.quarantineSeconds > 0;
  return [
    guardChain(plan),
    ...(holds || plan.trap !== undefined ? [trapChain(plan)] : []),
    ...(plan.trap === undefined ? [] : trapChains(plan, plan.trap)),
    ...(holds ? quarantineChains(plan) : []),
  ];
}

function removal(
  existing: ExistingTable,
  sets: readonly SetDefinition[],
  contents: SetContents,
): readonly string[] {
  const gone = new Set(unusable(existing, sets));
  return [
    ...existing.chains.map((name) => `flush chain inet ${TABLE} ${name}`),
    ...existing.chains.map((name) => `delete chain inet ${TABLE} ${name}`),
    ...[...gone].map((name) => `delete set inet ${TABLE} ${name}`),
    ...existing.sets.filter(({ name }) => contents.has(name) && !gone.has(name))
      .map(({ name }) => `flush set inet ${TABLE} ${name}`),
  ];
}

function unusable(existing: ExistingTable, sets: readonly SetDefinition[]): readonly string[] {
  return existing.sets.filter((old) => !sets.some((set) => isSame(set, old))).map(({ name }) => name);
}

function isSame(a: ExistingSet, b: ExistingSet): boolean {
  return a.name === b.name && a.keyBytes === b.keyBytes && a.flags === b.flags && a.size === b.size &&
    a.timeoutSeconds === b.timeoutSeconds;
}

function filling(name: string, elements: readonly string[]): readonly string[] {
  return elements.length === 0 ? [] : [`add element inet ${TABLE} ${name} { ${elements.join(", ")} }`];
}

function chainText({ name, comment, hook, rules }: Chain): string {
  return [
    `\tchain ${name} {`,
    `\t\tcomment "${comment}"`,
    ...(hook === undefined
      ? []
      : [`\t\ttype filter hook ${hook.name} priority ${hook.priority}; policy accept;`]),
    ...rules.map((rule) => `\t\t${rule}`),
    "\t}",
  ].join("\n");
}

/** Nothing but the look-ups is done for a packet that is not from a banned source. */
function guardChain(plan: RulesetPlan): Chain {
  const drop = `iif != "lo" counter name ${COUNTERS.blocked} drop`;
  const exempt = "ADDR saddr != @ignored# ADDR saddr != @protected#";
  return {
    name: "guard",
    comment: "what comes from banned sources goes no further, to this host or through it",
    hook: { name: "prerouting", priority: GUARD_PRIORITY },
    rules: [
      ...both(`ADDR saddr @banned# ADDR saddr != @ignored# ${drop}`),
      ...(seizes(plan, "ban") ? both(`ADDR saddr @seized# ${exempt} ${drop}`) : []),
      ...both(`ADDR saddr @banned_net# ${exempt} ${drop}`),
    ],
  };
}

function trapChain(plan: RulesetPlan): Chain {
  return {
    name: "trap",
    comment: "what is for this host: the trap, and the quarantine of those who touched it",
    hook: { name: "input", priority: TRAP_PRIORITY[plan.trap?.position ?? "before-firewall"] },
    rules: [
      plan.trap === undefined
        ? `tcp flags & (ack | rst) != 0 accept comment "opens nothing"`
        : `tcp flags & (syn | ack) == ack ${HAS_SOCKET} accept comment "connections that are there"`,
      'iif "lo" accept',
      'meta pkttype != host accept comment "broadcast and multicast are aimed at nobody"',
      'frag frag-off != 0 accept comment "later fragments carry no ports"',
      ...both('ADDR saddr @ignored# accept comment "never reported"'),
      ...(plan.quarantineSeconds > 0
        ? both("ADDR saddr @quarantined# ADDR saddr != @protected# jump quarantine")
        : []),
      ...(plan.trap === undefined ? [] : dispatchRules(plan.trap)),
    ],
  };
}
