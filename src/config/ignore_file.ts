/**
 * Reads ignore files in PortSentry's syntax, and says of every line that does nothing why.
 *
 * A line is an address, a prefix or a host name, and whatever else stands behind it. What PortSentry drops without a
 * word (leading spaces, dotted netmasks, IPv6, a last line without its end) works here.
 * @module
 */
import { type Fault, messageOf } from "../errors.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import { FaultList } from "./fault_list.ts";
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
  /** Why it could not be read. Absent: it was. */
  readonly unread?: "missing" | "unreadable";
}

/** What the name of the file ends with that PortSentry's administrators write on Debian. */
export const STATIC = ".static";

/** How much of an ignore file is read. Each bound is told as a fault when it is reached. */
export const IGNORE_LIMITS = {
  bytes: 4 * 1024 * 1024,
  lines: 250_000,
  /** The kernel holds them all. */
  prefixes: 65_536,
  /** Each is looked up every few minutes. */
  names: 1024,
} as const;

/**
 * Reads ignore files. What cannot be read is a fault, not an exception: the others still count.
 *
 * A file that was removed says nothing any more. One that is there and cannot be read has not changed its mind: what it
 * said the `last` time stands.
 *
 * @returns By path, in the order of `paths`.
 */
export async function loadIgnoreFiles(
  paths: readonly string[],
  last: ReadonlyMap<string, IgnoreFile> = new Map(),
): Promise<ReadonlyMap<string, IgnoreFile>> {
  const files = new Map<string, IgnoreFile>();
  const read = await Promise.all(paths.map((path) => loadIgnoreFile(path, last.get(path))));
  read.forEach((file, index) => files.set(paths[index] ?? "", file));
  for (const [path, file] of files) if (isSpare(path, files)) files.set(path, { ...file, faults: [] });
  return files;
}

async function loadIgnoreFile(path: string, last?: IgnoreFile): Promise<IgnoreFile> {
  try {
    const bytes = await readBounded(path, IGNORE_LIMITS.bytes + 1);
    const text = new TextDecoder().decode(bytes.subarray(0, IGNORE_LIMITS.bytes));
    const file = parseIgnoreFile(text, path);
    if (bytes.length <= IGNORE_LIMITS.bytes) return file;
    const message = `only the first ${IGNORE_LIMITS.bytes / 1024 / 1024} MiB are read`;
    return { ...file, faults: [...file.faults, { file: path, line: 0, column: 0, message }] };
  } catch (error) {
    const fault = { file: path, line: 0, column: 0 };
    if (error instanceof Deno.errors.NotFound) {
      const faults = [{ ...fault, message: "there is no such file" }];
      return { prefixes: [], names: [], faults, unread: "missing" };
    }
    const { prefixes, names } = last ?? { prefixes: [], names: [] };
    const kept = prefixes.length + names.length;
    const stay = kept === 1 ? "its last good entry stays" : `its last ${kept} good entries stay`;
    const message = `${messageOf(error)}${kept === 0 ? "" : `; ${stay} in force`}`;
    return { prefixes, names, faults: [{ ...fault, message }], unread: "unreadable" };
  }
}

/**
 * Whether nobody misses this missing file: Debian's start script made portsentry.ignore from portsentry.ignore.static,
 * and PortSentry 2 knows only the first, so that either does without the other.
 */
function isSpare(path: string, files: ReadonlyMap<string, IgnoreFile>): boolean {
  if (files.get(path)?.unread !== "missing") return false;
  if (path.endsWith(STATIC)) return files.has(path.slice(0, -STATIC.length));
  const origin = files.get(`${path}${STATIC}`);
  return origin !== undefined && origin.unread !== "missing";
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
    if (entry.kind === "nothing") faults.add(number, () => `this line does nothing: ${entry.why}`);
    else if (entry.kind === "name") {
      if (names.size < IGNORE_LIMITS.names) names.add(entry.name);
      else {faults.add(number, () =>
          `this line does nothing: only ${IGNORE_LIMITS.names} host names are followed`);}
    } else if (prefixes.size < IGNORE_LIMITS.prefixes) {
      prefixes.set(formatPrefix(entry.prefix), entry.prefix);
      if (entry.prefix.length === 0) {
        faults.add(number, () => "this line ignores every address, so nothing is reported");
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
