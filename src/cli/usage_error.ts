/**
 * What is wrong with a command line, as the one line that is printed.
 * @module
 */

/** The parser's sentences that name no thing that a person typed or should type, and what is said instead. */
const REWORDED: readonly (readonly [RegExp, string])[] = [
  [/^Expected an? `(.+)`, but too few arguments\.?/, "$1 is missing"],
  [/^Missing option `(.+)`\.?/, "The option $1 is missing"],
];

/** What is asked for where the parser can only say that nothing fits. */
const NOTHING_FITS = /^No matching /;

/**
 * One line: what is wrong, what was probably meant, and where to read on.
 *
 * @param text What the parser says, on any number of lines.
 * @param args The arguments of the program.
 */
export function usageError(text: string, args: readonly string[]): string {
  const [said, meant] = text.replace(/^Error: /, "").replace(/\s+/g, " ").split(/ ?Did you mean /);
  const verb = args[0] !== undefined && /^[a-z]+$/.test(args[0]) ? args[0] : undefined;
  const fault = reworded((said ?? "").trim().replace(/\.$/, ""), verb);
  const hint = meant === undefined ? "" : `; did you mean ${quoted(meant.replace(/\?.*$/, ""))}?`;
  const knownVerb = verb !== undefined && !fault.includes(`command: "${verb}"`) ? ` ${verb}` : "";
  return `portsnare: ${fault}${hint === "" ? ";" : hint} see: portsnare${knownVerb} --help`;
}

function reworded(said: string, verb: string | undefined): string {
  if (NOTHING_FITS.test(said)) {
    return verb === undefined ? "A verb is missing, such as status" : `Something is missing after "${verb}"`;
  }
  for (const [pattern, words] of REWORDED) {
    if (pattern.test(said)) return said.replace(pattern, words);
  }
  return quoted(said);
}

/** Names of options and arguments stand for themselves; what a person typed is quoted. */
function quoted(text: string): string {
  return text.replace(/`(-[^`]*|[A-Z,…]+)`/g, "$1").replaceAll("`", '"');
}
