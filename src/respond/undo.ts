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

/** What iptables, ip and route say when what was to be undone is not there. */
const NOT_THERE =
  /does a matching rule exist|No chain\/target\/match by that name|No such process|not in table/;

/** What iptables says when it does not know a chain or target, as iptables-nft and as iptables-legacy. */
const UNKNOWN = /Chain '(\S+)' does not exist|Couldn't load target [`'](\S+)'/;

/**
 * Whether an undoing failed only because there was nothing to undo (a reboot or somebody was faster).
 *
 * @param undo.command The command that failed.
 * @param undo.wasDone Whether what it undoes is known to have been done. If so, a target that iptables does not know
 * any more (its package was removed) says nothing about the rule that leads there: that is still in the kernel.
 */
export function wasUndone(
  stderr: string,
  { command, wasDone }: { readonly command: string; readonly wasDone: boolean },
): boolean {
  if (NOT_THERE.test(stderr)) return true;
  const unknown = UNKNOWN.exec(stderr);
  if (unknown === null) return false;
  const name = unknown[1] ?? unknown[2];
  return !wasDone || name !== /\s(?:-j|--jump|-g|--goto)\s+(\S+)/.exec(command)?.[1];
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
