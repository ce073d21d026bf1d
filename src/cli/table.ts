/**
 * Rows as a table that fits the terminal.
 *
 * Linear in the number of rows: there may be a hundred thousand.
 * @module
 */
import { terminalColumns, wrapText } from "./wrap.ts";

const GAP = "  ";
/** With less room than this the last column gets lines of its own. */
const MIN_LAST_COLUMN = 16;
const INDENT = "    ";

/** Makes the lines of a row. */
type Format = (cells: readonly string[]) => readonly string[];

/**
 * A table without borders. The last column is wrapped to what is left of `columns`, or has lines of its own where that is
 * too little; where the others do not fit either, the first column stands above them.
 *
 * @returns Lines without trailing blanks.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number = terminalColumns(),
): string {
  const widths = head.map((title, i) =>
    rows.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), title.length)
  );
  const format = formatFor(widths, columns);
  return [head, ...rows].flatMap(format).map((line) => line.trimEnd()).join("\n");
}

function formatFor(widths: readonly number[], columns: number): Format {
  const before = widths.slice(0, -1);
  const start: (cells: readonly string[]) => string = (cells) =>
    before.map((width, i) => (cells[i] ?? "").padEnd(width) + GAP).join("");
  const last = (cells: readonly string[], room: number): readonly string[] =>
    wrapText(cells[before.length] ?? "", room);

  const fixed = start([]).length;
  if (columns - fixed >= Math.min(MIN_LAST_COLUMN, widths.at(-1) ?? 0)) {
    return (cells) => {
      const [first = "", ...more] = last(cells, columns - fixed);
      return [start(cells) + first, ...more.map((line) => " ".repeat(fixed) + line)];
    };
  }
  if (fixed - GAP.length <= columns || before.length < 2) {
    return (cells) => [start(cells), ...indented(last(cells, columns - INDENT.length))];
  }
  const others = formatFor(widths.slice(1), columns - INDENT.length);
  return ([first = "", ...cells]) => [first, ...indented(others(cells))];
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => INDENT + line);
}
