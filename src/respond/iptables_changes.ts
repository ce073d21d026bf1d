/**
 * Many bans made or lifted in few calls of ipset or iptables, with the reason for each that was refused.
 * @module
 */
import { type Family, familyOf } from "../net/address.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import { type Exec, type ExecResult, failureOf } from "../system/exec.ts";
import { failedLine, RESTORE_SET_ARGV } from "./ipset.ts";
import {
  CHAIN,
  iptablesArgv,
  type IptablesPrograms,
  parseRules,
  programOf,
  restoreArgv,
  restoreText,
} from "./iptables_rules.ts";

/** iptables waits five seconds for its lock; more means that something is wrong. */
const TIMEOUT_MS = 15_000;

/** A million rules as text. */
const LISTING_BYTES = 64 * 1024 * 1024;

/** So many elements of one batch may be refused one by one; beyond that, all that are left count as refused. */
const MAX_REFUSALS = 16;

/** Runs one of the programs, with text for its standard input. */
export type Run = (argv: readonly string[], stdin?: string) => Promise<ExecResult>;

/** The {@link Run} of an {@link Exec}, with this backend's limits. */
export function runner(exec: Exec): Run {
  const options = { timeoutMs: TIMEOUT_MS, keepBytes: LISTING_BYTES };
  return async (argv, stdin) => await exec(argv, stdin === undefined ? options : { ...options, stdin });
}

/** Why each of the changes failed, in order; `undefined` where it did not. */
export type Errors = readonly (string | undefined)[];

/**
 * Carry out lines of ipset. A line that is refused is left out and the rest tried again: ipset stops at the first one,
 * and what it did of those before depends on why.
 */
export async function changeSet(
  run: Run,
  change: { readonly verb: "add" | "del"; readonly lines: readonly string[] },
): Promise<Errors> {
  const { verb, lines } = change;
  const errors = new Map<number, string>();
  for (let round = 0; errors.size < lines.length; round++) {
    const tried = lines.map((_, index) => index).filter((index) => !errors.has(index));
    const result = await run(RESTORE_SET_ARGV, tried.map((index) => `${lines[index]}\n`).join(""));
    const failure = failureOf(result);
    if (failure === undefined || (verb === "del" && isAbsent(result))) break;
    const refused = failedLine(result.stderr);
    const at = refused === undefined ? undefined : tried[refused.index];
    if (refused === undefined || at === undefined || round >= MAX_REFUSALS) {
      for (const index of tried) errors.set(index, failure);
    } else errors.set(at, refused.error);
  }
  return lines.map((_, index) => errors.get(index));
}

/** What is to become of the rules for these targets. */
export interface RuleChange {
  /** Add or delete. */
  readonly verb: "-A" | "-D";
  /** Whose rules. */
  readonly targets: readonly Prefix[];
  /** What iptables is called here. */
  readonly programs: IptablesPrograms;
}

/** Add rules that are not there or delete those that are, in one transaction for each family. */
export async function changeRules(run: Run, change: RuleChange): Promise<Errors> {
  const errors = new Map<Family, string | undefined>();
  const families = new Set(change.targets.map((target) => familyOf(target.address)));
  for (const family of families) errors.set(family, await changeFamily(run, family, change));
  return change.targets.map((target) => errors.get(familyOf(target.address)));
}

async function changeFamily(run: Run, family: Family, change: RuleChange): Promise<string | undefined> {
  const { verb, programs } = change;
  const listing = await run(iptablesArgv(programOf(family, programs), ["-S", CHAIN]));
  // Without the chain nobody is banned: nothing is left to release.
  if (verb === "-D" && isAbsent(listing)) return undefined;
  if (listing.code !== 0) return failureOf(listing);
  const there = new Set(parseRules(listing.stdout, family).map(formatPrefix));
  const ofFamily = change.targets.filter((target) => familyOf(target.address) === family);
  const wanted = new Map(ofFamily.map((target) => [formatPrefix(target), target]));
  // A rule added twice would have to be deleted twice, and one deletion in vain fails the whole transaction.
  const changed = [...wanted].filter(([text]) => there.has(text) === (verb === "-D")).map(([, target]) =>
    target
  );
  if (changed.length === 0) return undefined;
  return failureOf(await run(restoreArgv(programOf(family, programs)), restoreText(verb, changed)));
}

/** Whether a command failed because the chain or set it names is not there, as each variant words that. */
function isAbsent(result: ExecResult): boolean {
  return result.code !== 0 &&
    /No chain\/target\/match|is incompatible, use 'nft' tool|does not exist/.test(result.stderr);
}
