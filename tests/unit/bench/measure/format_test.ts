import assert from "node:assert/strict";
import { figure, markdown, megabytes, NOTHING, times } from "../../../../bench/measure/format.ts";

Deno.test("figure keeps three significant digits and no exponent", () => {
  const cases: readonly (readonly [number | undefined, string])[] = [
    [undefined, NOTHING],
    [NaN, NOTHING],
    [Infinity, NOTHING],
    [0, "0"],
    [0.000012345, "0.0000123"],
    [0.1, "0.1"],
    [12.3456, "12.3"],
    [99.94, "99.9"],
    [100.4, "100"],
    [1234567.8, "1,234,568"],
    [-2.5, "-2.5"],
  ];
  for (const [value, expected] of cases) assert.equal(figure(value), expected, `figure of ${value}`);
});

Deno.test("figure puts a unit behind a figure, and none behind nothing", () => {
  assert.equal(figure(2.5, "ms"), "2.5 ms");
  assert.equal(figure(undefined, "ms"), NOTHING);
  assert.equal(times(0.25), "0.25 ×");
  assert.equal(megabytes(1000), "1.02 MB");
});

Deno.test("markdown aligns the columns and keeps a bar from ending a cell", () => {
  const text = markdown({ head: ["name", "n"], rows: [["a|b", "1"], ["long name", "22"]] });
  assert.equal(
    text,
    [
      "| name      | n   |",
      "|-----------|-----|",
      "| a\\|b      | 1   |",
      "| long name | 22  |",
    ].join("\n"),
  );
});

Deno.test("markdown fills up a short row and puts the title above", () => {
  assert.equal(
    markdown({ title: "T", head: ["aaa", "bbb"], rows: [["1"]] }),
    "**T**\n\n| aaa | bbb |\n|-----|-----|\n| 1   |     |",
  );
});
