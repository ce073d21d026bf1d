/**
 * Reads portsentry.conf as PortSentry 1.2 does (`ConfigTokenRetrieve` of its portsentry_io.c), byte for byte, and says
 * of every line that it does not use why.
 * @module
 */
import type { Fault } from "../../errors.ts";
import { FaultList } from "../fault_list.ts";
import { nearestName } from "../nearest.ts";

/** The options of PortSentry 1.2. Version 2 has the same without those that begin with ADVANCED. */
export const OPTION_NAMES = [
  "TCP_PORTS",
  "UDP_PORTS",
  "ADVANCED_PORTS_TCP",
  "ADVANCED_PORTS_UDP",
  "ADVANCED_EXCLUDE_TCP",
  "ADVANCED_EXCLUDE_UDP",
  "IGNORE_FILE",
  "HISTORY_FILE",
  "BLOCKED_FILE",
  "RESOLVE_HOST",
  "BLOCK_UDP",
  "BLOCK_TCP",
  "KILL_ROUTE",
  "KILL_HOSTS_DENY",
  "KILL_RUN_CMD",
  "KILL_RUN_CMD_FIRST",
  "SCAN_TRIGGER",
  "PORT_BANNER",
] as const;

/** One of {@link OPTION_NAMES}. */
export type OptionName = (typeof OPTION_NAMES)[number];

/** An option that is set. */
export interface Option {
  /** What stands between the quotes. */
  readonly value: string;
  /** Its line, from 1. */
  readonly line: number;
  /** The column of the value, from 1. */
  readonly column: number;
}

/** What a portsentry.conf says. */
export interface OptionFile {
  /** The options that are set, each by its first line. */
  readonly options: ReadonlyMap<OptionName, Option>;
  /** The lines that have no effect, in file order. */
  readonly faults: readonly Fault[];
}

/** PortSentry reads lines into a buffer of this many bytes; what is behind becomes a line of its own. */
const LINE_BYTES = 1023;

interface Line {
  readonly text: string;
  readonly number: number;
}

/** Whether a configuration is PortSentry's rather than TOML: by its name, or by what it says. */
export function isPortsentryConf(path: string, text: string): boolean {
  if (path.endsWith(".toml")) return false;
  return path.endsWith(".conf") ||
    linesOf(text).some((line) => OPTION_NAMES.some((name) => holds(line, name)));
}

/** Reads a portsentry.conf. Takes any text, one character for each byte. */
export function parseOptionFile(text: string, file: string): OptionFile {
  const lines = linesOf(text);
  const options = new Map<OptionName, Option>();
  const faults = new FaultList(file);
  const used = new Map<number, OptionName>();
  for (const name of OPTION_NAMES) {
    const line = lines.find((candidate) => holds(candidate, name));
    if (line === undefined) continue;
    used.set(line.number, name);
    const quote = line.text.indexOf('"');
    if (quote >= 0) {
      const value = printableStart(line.text.slice(quote + 1));
      options.set(name, { value, line: line.number, column: quote + 2 });
    } else {
      const message = `${name} is skipped: its value must stand in double quotes`;
      faults.add(line.number, () => message, name.length + 1);
    }
  }
  const firstLines = new Map([...used].map(([number, name]) => [name, number]));
  for (const line of lines) {
    if (used.has(line.number) || saysNothing(line)) continue;
    faults.add(line.number, () => whyUnused(line, firstLines));
  }
  return { options, faults: faults.list() };
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (const [index, whole] of text.split("\n").entries()) {
    for (let start = 0; start === 0 || start < whole.length; start += LINE_BYTES) {
      // A C string ends at the first zero byte.
      const [visible = ""] = whole.slice(start, start + LINE_BYTES).split("\0", 1);
      lines.push({ text: visible, number: index + 1 });
    }
  }
  return lines;
}

/** PortSentry looks for the name anywhere in the line, but for what follows the name at the place it would begin. */
function holds({ text }: Line, name: OptionName): boolean {
  const next = text.charAt(name.length);
  return !text.startsWith("#") && (next === "=" || next === " ") && text.includes(name);
}

/** Everything up to the closing quote or the first byte that is not printable ASCII. */
function printableStart(text: string): string {
  return /^[ !#-~]*/.exec(text)?.[0] ?? "";
}

function saysNothing({ text }: Line): boolean {
  return text.trim() === "" || text.startsWith("#");
}

function whyUnused({ text }: Line, firstLines: ReadonlyMap<OptionName, number>): string {
  const line = text.trimEnd();
  const [, indent = "", name = "", gap = ""] = /^(\s*)(\w+)(\s*)=/.exec(line) ?? [];
  const known = OPTION_NAMES.find((option) => option === name);
  if (known !== undefined) {
    const first = firstLines.get(known);
    if (indent !== "") return `this line does nothing: ${known} must begin at the start of the line`;
    if (first === undefined) return `this line does nothing: ${JSON.stringify(gap)} may not stand before "="`;
    return `this line does nothing: PortSentry takes the first ${known}, which is line ${first}`;
  }
  if (name === "") return "this line does nothing: it is neither a comment nor an option";
  const meant = nearestName(name, OPTION_NAMES);
  return `unknown option ${name}${meant === undefined ? ", which does nothing" : `; did you mean ${meant}?`}`;
}
