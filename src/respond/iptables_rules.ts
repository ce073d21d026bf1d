/**
 * What is said to iptables and what it answers: rules and argument lists as text. Pure.
 *
 * iptables(8), iptables-restore(8). The rules of both variants (legacy and nf_tables) read the same.
 * @module
 */
import { type Family, familyOf } from "../net/address.ts";
import { formatPrefix, parsePrefix, type Prefix } from "../net/prefix.ts";

/** The chain that is ours, in the table filter of both families. */
export const CHAIN = "PORTSNARE";

/** From where the chain is entered: what is for this host, and what it forwards to containers and neighbours. */
export const PARENT_CHAINS = ["INPUT", "FORWARD"] as const;

/** The variants of one program. */
export interface IptablesPrograms {
  /** For IPv4. Default: `iptables`, whichever variant the administrator chose with update-alternatives. */
  readonly iptables: string;
  /** For IPv6. */
  readonly ip6tables: string;
}

/** The program for a family. */
export function programOf(family: Family, programs: IptablesPrograms): string {
  return family === 4 ? programs.iptables : programs.ip6tables;
}

/** Wait so many seconds for the lock that other users of iptables hold. */
const LOCK_SECONDS = "5";

/** The argument list of one command, which waits for the lock. */
export function iptablesArgv(program: string, args: readonly string[]): readonly string[] {
  return [program, "-w", LOCK_SECONDS, ...args];
}

/** The argument list that carries out {@link restoreText}, leaving all else as it is. */
export function restoreArgv(program: string): readonly string[] {
  return [`${program}-restore`, "-w", LOCK_SECONDS, "--noflush"];
}

/** The rule that drops everything from a set. */
export function setRule(set: string): readonly string[] {
  return ["-m", "set", "--match-set", set, "src", "-j", "DROP"];
}

/** One transaction that adds (`-A`) or deletes (`-D`) a rule for each target. */
export function restoreText(verb: "-A" | "-D", targets: readonly Prefix[]): string {
  const rules = targets.map((target) => `${verb} ${CHAIN} -s ${fullPrefix(target)} -j DROP`);
  return ["*filter", ...rules, "COMMIT", ""].join("\n");
}

/** The targets whose rules stand in our chain, from what `-S PORTSNARE` printed. */
export function parseRules(listing: string, family: Family): readonly Prefix[] {
  const targets: Prefix[] = [];
  for (const line of listing.split("\n")) {
    const match = /^-A PORTSNARE -s (\S+) -j DROP$/.exec(line.trim());
    const target = match?.[1] === undefined ? undefined : parsePrefix(match[1]);
    if (target !== undefined && familyOf(target.address) === family) targets.push(target);
  }
  return targets;
}

/** Whether a listing of rules (`-S CHAIN`) holds this very rule. */
export function hasRule(listing: string, chain: string, rule: readonly string[]): boolean {
  return listing.split("\n").some((line) => line.trim() === `-A ${chain} ${rule.join(" ")}`);
}

function fullPrefix(target: Prefix): string {
  return formatPrefix(target).includes("/")
    ? formatPrefix(target)
    : `${formatPrefix(target)}/${target.length}`;
}
