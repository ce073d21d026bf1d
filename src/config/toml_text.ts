/**
 * Writes TOML for people: keys, arrays that fold, and comments that wrap.
 * @module
 */
import { stringify } from "smol-toml";

/** Comments and arrays are folded here, so that a terminal of 100 columns shows them whole. */
const WIDTH = 98;

/** `key = value`, over several lines when it is a long array. */
export function tomlLine(key: string, value: unknown): string {
  const line = stringify({ [key]: value }).trimEnd();
  if (line.length <= WIDTH || !Array.isArray(value)) return line;
  const items = value.map((item) => stringify({ x: item }).trimEnd().slice("x = ".length));
  return `${key} = [\n${fold(items.map((item) => `${item},`), "  ")}\n]`;
}

/** `text` as comment lines. */
export function tomlComment(text: string): string {
  return text.split("\n").map((line) => fold(line.replace(CONTROL, "?").split(" "), "# ")).join("\n");
}

/** What may not stand in a comment, and what would move the reader's cursor. */
// deno-lint-ignore no-control-regex -- these are exactly the characters to keep out
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

function fold(words: readonly string[], indent: string): string {
  const lines: string[] = [];
  let line = indent.trimEnd();
  for (const word of words) {
    const longer = line === indent.trimEnd() ? indent + word : `${line} ${word}`;
    if (longer.length > WIDTH && line !== indent.trimEnd()) {
      lines.push(line);
      line = indent + word;
    } else line = longer;
  }
  return [...lines, line.trimEnd()].join("\n");
}
