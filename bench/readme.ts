/**
 * The one place of the README that is written by the comparison.
 * @module
 */

const BEGIN = "<!-- written by make bench, as it stands in bench/RESULTS.md -->";
const END = "<!-- end of what make bench writes -->";

/** What stands between the markers. @throws {Error} When they are not there. */
export function measuredPart(readme: string): string {
  const [begin, end] = bounds(readme);
  return readme.slice(begin, end).trim();
}

/** The README with another part between the markers. @throws {Error} When they are not there. */
export function withMeasuredPart(readme: string, part: string): string {
  const [begin, end] = bounds(readme);
  return `${readme.slice(0, begin)}\n\n${part}\n\n${readme.slice(end)}`;
}

function bounds(readme: string): readonly [number, number] {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`The README has no lines "${BEGIN}" and "${END}"`);
  return [begin + BEGIN.length, end];
}
