/**
 * Reads ignore files in PortSentry's syntax, and says of every line that does nothing why.
 *
 * A line is an address, a prefix or a host name, and whatever else stands behind it. What PortSentry drops without a
 * word (leading spaces, dotted netmasks, IPv6, a last line without its end) works here.
 * @module
 */
import { type Fault, messageOf } from "../errors.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import { type IgnoreEntry, parseIgnoreEntry } from "./ignore_entry.ts";
import { readBounded } from "./text_file.ts";

/** What ignore files say. */
export interface IgnoreFile {
  /** Addresses and prefixes, each once. */
  readonly prefixes: readonly Prefix[];
  /** Host names, each once. */
  readonly names: readonly string[];
  /** The lines that do nothing, and what was cut off. */
  readonly faults: readonly Fault[];
}

/** How much of an ignore file is read. Each bound is told as a fault when it is reached. */
export const IGNORE_LIMITS = {
  bytes: 16 * 1024 * 1024,
  lines: 1_000_000,
  /** The kernel holds them all. */
  prefixes: 65_536,
  /** Each is looked up every few minutes. */
  names: 1024,
  /** The rest of the faults is counted. */
  faults: 100,
} as const;

/** Reads an ignore file. A file that cannot be read is a fault, not an exception: the others still count. */
export async function loadIgnoreFile(path: string): Promise<IgnoreFile> {
  try {
    const bytes = await readBounded(path, IGNORE_LIMITS.bytes + 1);
    const text = new TextDecoder().decode(bytes.subarray(0, IGNORE_LIMITS.bytes));
    const file = parseIgnoreFile(text, path);
    if (bytes.length <= IGNORE_LIMITS.bytes) return file;
    const message = `only the first ${IGNORE_LIMITS.bytes / 1024 / 1024} MiB are read`;
    return { ...file, faults: [...file.faults, { file: path, line: 0, column: 0, message }] };
  } catch (error) {
    const message = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    return { prefixes: [], names: [], faults: [{ file: path, line: 0, column: 0, message }] };
  }
}

/** Reads the text of an ignore file. Takes any text. */
export function parseIgnoreFile(text: string, file: string): IgnoreFile {
  const prefixes = new Map<string, Prefix>();
  const names = new Set<string>();
  const faults = new FaultList(file);
  let number = 0;
  for (const line of linesOf(text)) {
    if (++number > IGNORE_LIMITS.lines) {
      faults.say(number, `only the first ${IGNORE_LIMITS.lines} lines are read`);
      break;
    }
    const entry = parseIgnoreLine(line);
    if (entry === undefined) continue;
    if (entry.kind === "nothing") faults.add(number, entry.why);
    else if (entry.kind === "name") {
      if (names.size < IGNORE_LIMITS.names) names.add(entry.name);
      else faults.add(number, `only ${IGNORE_LIMITS.names} host names are followed`);
    } else if (prefixes.size < IGNORE_LIMITS.prefixes) {
      prefixes.set(formatPrefix(entry.prefix), entry.prefix);
      if (entry.prefix.length === 0) {
        faults.say(number, "this line ignores every address, so nothing is reported");
      }
    } else {
      faults.say(number, `only the first ${IGNORE_LIMITS.prefixes} addresses and prefixes are used`);
      break;
    }
  }
  return { prefixes: [...prefixes.values()], names: [...names], faults: faults.list() };
}

/** What one line of an ignore file means; `undefined` for an empty line or a comment. */
export function parseIgnoreLine(line: string): IgnoreEntry | undefined {
  const [word = ""] = line.trim().split(/[\s#]/, 1);
  if (word === "") return undefined;
  const entry = parseIgnoreEntry(word);
  if (entry.kind === "prefix") return entry;
  // PortSentry takes the digits, dots and slashes that a line begins with, and does not mind what follows.
  const start = /^[0-9.]+(?:\/[0-9.]+)?(?![\w:./-])/.exec(word)?.[0] ?? "";
  const address = parseIgnoreEntry(start);
  return address.kind === "prefix" && entry.kind === "nothing" ? address : entry;
}

function* linesOf(text: string): Iterable<string> {
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf("\n", start);
    const stop = end < 0 ? text.length : end;
    yield text.slice(start, stop);
    start = stop + 1;
  }
}

/** Faults of one file; a file full of garbage must not become a log full of it. */
class FaultList {
  readonly #file: string;
  readonly #faults: Fault[] = [];
  #more = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** A line does nothing. */
  add(line: number, why: string): void {
    if (this.#faults.length < IGNORE_LIMITS.faults) this.say(line, `this line does nothing: ${why}`);
    else this.#more++;
  }

  /** Something else must be known about a line. */
  say(line: number, message: string): void {
    this.#faults.push({ file: this.#file, line, column: 1, message });
  }

  list(): readonly Fault[] {
    if (this.#more === 0) return this.#faults;
    const message = `${this.#more} more lines do nothing`;
    return [...this.#faults, { file: this.#file, line: 0, column: 0, message }];
  }
}
