/**
 * Text from outside (names from DNS, messages of programs) made harmless for one line of a log.
 * @module
 */

export { escapeName } from "../net/host_name.ts";

/** Text for one line: control characters, line separators and lone surrogates are written `\u{…}`, the rest stays. */
export function escapeLine(text: string, maxLength = 2048): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(
    // Also the characters that turn writing round on a terminal (Unicode TR 36, section 2.10).
    // deno-lint-ignore no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** Text of any length and number of lines, for a terminal: what it shows is what is there. */
export function escapeText(text: string): string {
  return text.split("\n").map((line) => escapeLine(line, Infinity)).join("\n");
}
