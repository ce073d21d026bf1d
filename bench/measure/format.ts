/**
 * Numbers and tables as Markdown; the only place that decides how a figure looks.
 * @module
 */

/** What stands for a figure that does not exist. */
export const NOTHING = "–";

/** A table of the report. */
export interface Table {
  /** What stands above it. */
  readonly title?: string;
  /** The first column names the row. */
  readonly head: readonly string[];
  /** Cells, as many as the head has. */
  readonly rows: readonly (readonly string[])[];
}

/** Three significant digits, in plain notation, thousands apart; {@link NOTHING} for nothing. */
export function figure(value: number | undefined, unit = ""): string {
  if (value === undefined || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  const text = size >= 100
    ? Math.round(value).toLocaleString("en-GB")
    : value.toLocaleString("en-GB", { maximumSignificantDigits: 3, maximumFractionDigits: 20 });
  return unit === "" ? text : `${text} ${unit}`;
}

/** How many times as much: `0.05 ×`. */
export function times(value: number | undefined): string {
  return figure(value, "×");
}

/** Kibibytes as megabytes. */
export function megabytes(kibibytes: number | undefined): string {
  return figure(kibibytes === undefined ? undefined : kibibytes * 1024 / 1e6, "MB");
}

/** The table as aligned Markdown. */
export function markdown({ title, head, rows }: Table): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [first = [], ...rest] = cells;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [...title === undefined ? [] : [`**${title}**`, ""], line(first), rule, ...rest.map(line)].join(
    "\n",
  );
}
