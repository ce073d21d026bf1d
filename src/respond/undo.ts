/**
 * From what `kill_route` did, what takes it back: so that a ban made by PortSentry's well-known commands ends, too.
 *
 * Pure. Only commands whose opposite is certain: one plain command of iptables, route or ip, nothing of the shell's.
 * @module
 */
import type { Command } from "../config/schema.ts";

/** Anything but words, options and our own tokens may mean more to a shell than one plain command. */
const PLAIN = /^[\w./:,=+@%\-\s!$]+$/;

/** What undoes a command template, tokens and all; `undefined` where that is not certain. */
export function undoOf(command: Command): Command | undefined {
  const words = typeof command === "string" ? plainWords(command) : command;
  const [program, ...args] = words ?? [];
  if (program === undefined) return undefined;
  const undone = undoArgs(program.split("/").at(-1) ?? "", args);
  if (undone === undefined) return undefined;
  return typeof command === "string" ? [program, ...undone].join(" ") : [program, ...undone];
}

/**
 * What iptables and route say when there is nothing to undo. A rule cannot lead to a chain or target that is not there:
 * where xtables-addons is missing, its rule was never made.
 */
const NOTHING_THERE = [
  "does a matching rule exist",
  "No chain/target/match by that name",
  "Chain '\\S+' does not exist",
  "Couldn't load target",
  "No such process",
  "not in table",
];

/** Whether an undoing failed only because there was nothing to undo (a reboot or somebody was faster). */
export function wasUndone(stderr: string): boolean {
  return new RegExp(NOTHING_THERE.join("|")).test(stderr);
}

function plainWords(command: string): readonly string[] | undefined {
  const bare = command.replaceAll(/\$(TARGET|PORT|MODE)\$/g, "");
  if (!PLAIN.test(bare) || bare.includes("$")) return undefined;
  return command.trim().split(/\s+/);
}

function undoArgs(program: string, args: readonly string[]): readonly string[] | undefined {
  switch (program) {
    case "iptables":
    case "ip6tables":
    case "iptables-legacy":
    case "ip6tables-legacy":
    case "iptables-nft":
    case "ip6tables-nft":
      return undoIptables(args);
    case "route":
      return swapOnce(args, { add: "del" });
    case "ip":
      return args.includes("route") || args.includes("rule")
        ? swapOnce(args, { add: "del", replace: "del" })
        : undefined;
    default:
      return undefined;
  }
}

function undoIptables(args: readonly string[]): readonly string[] | undefined {
  const undone = swapOnce(args, { "-I": "-D", "-A": "-D", "--insert": "-D", "--append": "-D" });
  const verb = undone?.indexOf("-D") ?? -1;
  if (undone === undefined || verb < 0) return undefined;
  // `-I CHAIN NUMBER rule`: a deletion names either a number or a rule.
  return undone.filter((word, index) => index !== verb + 2 || !/^\d+$/.test(word));
}

/** The words with the one that has an opposite replaced by it; `undefined` unless there is exactly one. */
function swapOnce(
  words: readonly string[],
  opposites: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  const found = words.filter((word) => Object.hasOwn(opposites, word));
  if (found.length !== 1) return undefined;
  return words.map((word) => Object.hasOwn(opposites, word) ? opposites[word] ?? word : word);
}
