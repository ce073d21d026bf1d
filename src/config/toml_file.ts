/**
 * Reads TOML and goes on after a fault, so that one slip does not hide the others.
 *
 * The parser stops at the first thing that it cannot take. The statement it stopped at is then blanked out, which
 * leaves every other offset as it was, and the rest is parsed again. A table that is written twice is read as a layer
 * of its own, so that the keys of both halves are checked.
 * @module
 */
import { parse, TomlError } from "smol-toml";
import type { Fault } from "../errors.ts";
import { MAX_DEPTH, scanToml, TextLines, type TomlMap, type TomlStatement } from "./toml_positions.ts";

/** What a TOML text says, and what is wrong with it. */
export interface TomlFile {
  /** The tables of the text. More than one only when it has faults. */
  readonly layers: readonly Readonly<Record<string, unknown>>[];
  /** What the parser objected to, in the order of the text. */
  readonly faults: readonly Fault[];
  /** Where the key (or the value) of this path stands, as well as that is known. */
  placeOf(
    path: readonly PropertyKey[],
    part: "key" | "value",
  ): { readonly line: number; readonly column: number };
}

/** After this many faults the rest of a file is not looked at: it is no configuration. */
const MAX_FAULTS = 50;
/** So much is parsed in all, each time anew after a fault: of a long file fewer faults are told at once. */
const MAX_PARSED_LENGTH = 1024 * 1024;
const PARSER_PREFIX = "Invalid TOML document: ";

/** What the parser's terse words mean for somebody who never read the specification. */
const IN_PLAIN_WORDS: Readonly<Record<string, string>> = {
  "invalid value": 'this is no value: expected text in quotes ("…"), a number, true, false, or an [array]',
  "unfinished string": "the closing quote of this text is missing",
  "control characters are not allowed in strings": "the closing quote of this text is missing on its line",
  "incomplete key-value: cannot find end of key": 'expected key = value, or [section]; the "=" is missing',
  "illegal character in key": 'expected key = value; a key is made of letters, digits, "-" and "_"',
  "unexpected end of key": 'a name is missing before "=" or "]"',
  "each key-value declaration must be followed by an end-of-line":
    "expected the end of the line after the value",
};

/** Reads a TOML text. Never throws. */
export function readToml(text: string, file: string): TomlFile {
  const map = scanToml(text);
  const lines = new TextLines(text);
  const layers: Readonly<Record<string, unknown>>[] = [];
  const faults: Fault[] = [];
  const queue = map.tooDeep === undefined ? [text] : [];
  if (map.tooDeep !== undefined) {
    const message = `a key has at most ${MAX_DEPTH} parts between dots`;
    faults.push({ file, ...lines.at(map.tooDeep), message });
  }
  let parsed = 0;
  for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
    parsed += layer.length;
    const error = tryParse(layer, layers);
    if (error === undefined) continue;
    const recovered = recover(layer, { map, lines }, error);
    faults.push({ file, ...lines.at(recovered.offset), message: recovered.message });
    if (faults.length < MAX_FAULTS && parsed < MAX_PARSED_LENGTH) queue.push(...recovered.rest);
  }
  return {
    layers,
    faults: faults.toSorted((a, b) => a.line - b.line || a.column - b.column),
    placeOf(path, part) {
      // A key that is not in the file has the place of the table that should hold it.
      for (let length = path.length; length > 0; length--) {
        const place = map.place(path.slice(0, length));
        if (place !== undefined) return lines.at(place[part]);
      }
      return { line: 0, column: 0 };
    },
  };
}

interface Recovered {
  readonly offset: number;
  readonly message: string;
  /** What is left to be parsed. */
  readonly rest: readonly string[];
}

function tryParse(text: string, layers: Readonly<Record<string, unknown>>[]): TomlError | undefined {
  try {
    layers.push(parse(text, { maxDepth: MAX_DEPTH }));
    return undefined;
  } catch (error) {
    if (error instanceof TomlError) return error;
    throw error;
  }
}

/** What is known of the text that all layers come from. */
interface Known {
  readonly map: TomlMap;
  readonly lines: TextLines;
}

function recover(text: string, known: Known, error: TomlError): Recovered {
  const { map } = known;
  const offset = offsetOf(text, error);
  const found = map.statements.findLast((statement) => statement.start <= offset) ?? map.statements[0];
  if (found === undefined) return { offset, message: explain(error), rest: [] };
  const repeats = error.message.includes("redefine") ? found : undefined;
  const end = repeats === undefined ? syntaxEnd(text, found) : found.end;
  if (!found.header) {
    const rest = [blank(text, found.start, end)];
    return repeats === undefined
      ? { offset, message: explain(error), rest }
      : { offset: found.start, message: describeRepeat(known, repeats), rest };
  }
  const next = map.statements.find((other) => other.header && other.start > found.start)?.start ??
    text.length;
  const others = blank(text, found.start, next);
  return repeats === undefined ? { offset, message: explain(error), rest: [others] } : {
    offset: found.start,
    message: describeRepeat(known, repeats),
    rest: [others, blank(blank(text, 0, found.start), next, text.length)],
  };
}

function describeRepeat({ map, lines }: Known, repeat: TomlStatement): string {
  const name = repeat.header ? `[${repeat.path.join(".")}]` : JSON.stringify(repeat.path.at(-1) ?? "");
  const first = map.statements.find((other) =>
    other.start < repeat.start && repeat.path.every((part, index) => other.path[index] === part)
  );
  const where = first === undefined ? "" : `; the first time is line ${lines.at(first.start).line}`;
  return `${name} is given twice${where}`;
}

function explain(error: TomlError): string {
  const [line = ""] = error.message.slice(PARSER_PREFIX.length).split("\n");
  return IN_PLAIN_WORDS[line] ?? line;
}

function offsetOf(text: string, error: TomlError): number {
  let offset = 0;
  for (let line = 1; line < error.line; line++) {
    const end = text.indexOf("\n", offset);
    if (end < 0) break;
    offset = end + 1;
  }
  return Math.min(offset + error.column - 1, text.length);
}

/** Where a statement that cannot be read probably ends: before the next line that looks like a statement. */
function syntaxEnd(text: string, statement: TomlStatement): number {
  const next = /\n[ \t]*(?:\[|[\w."'-]+[ \t]*=)/g;
  next.lastIndex = statement.start;
  return next.exec(text)?.index ?? text.length;
}

function blank(text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(start, end).replace(/[^\r\n]/g, " ") + text.slice(end);
}
