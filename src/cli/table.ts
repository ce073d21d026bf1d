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

/**
 * A table without borders. The last column is wrapped to what is left of `columns`.
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
  const last = widths.length - 1;
  const fixed = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = columns - fixed;
  const isBeside = room >= Math.min(MIN_LAST_COLUMN, widths[last] ?? 0);
  const layout = {
    widths: widths.slice(0, last),
    indent: isBeside ? " ".repeat(fixed) : INDENT,
    room: isBeside ? room : columns - INDENT.length,
    isBeside,
  };
  return [head, ...rows].map((row) => formatRow(row, layout)).join("\n");
}

/** Where the cells of a row go. */
interface Layout {
  readonly widths: readonly number[];
  /** Before each line of the last column but one that stands beside the others. */
  readonly indent: string;
  readonly room: number;
  readonly isBeside: boolean;
}

function formatRow(cells: readonly string[], { widths, indent, room, isBeside }: Layout): string {
  const start = widths.map((width, i) => (cells[i] ?? "").padEnd(width) + GAP).join("");
  const [first = "", ...more] = wrapText(cells[widths.length] ?? "", room);
  const lines = isBeside ? [start + first, ...more.map((line) => indent + line)] : [
    start,
    ...[first, ...more].map((line) => indent + line),
  ];
  return lines.map((line) => line.trimEnd()).join("\n");
}
