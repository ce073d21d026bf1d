import assert from "node:assert/strict";
import fc from "fast-check";
import { hangingLine, wrapText } from "../../../src/cli/wrap.ts";

const CASES: readonly (readonly [string, string, number, readonly string[]])[] = [
  ["what fits stays", "one two", 20, ["one two"]],
  ["a line is broken at a blank", "one two three four five", 16, ["one two three", "four five"]],
  ["a line is broken behind a comma", "0-112,114-138,140-1023", 16, ["0-112,114-138,", "140-1023"]],
  ["a long word stays whole", "a 2001:db8:ffff:ffff:ffff::1 b", 16, ["a", "2001:db8:ffff:ffff:ffff::1", "b"]],
  ["nothing is one empty line", "", 16, [""]],
  ["a width of nothing is not taken at its word", "one two three", 0, ["one two three"]],
];

for (const [what, text, width, lines] of CASES) {
  Deno.test(`wrapText: ${what}`, () => assert.deepEqual(wrapText(text, width), lines));
}

Deno.test("wrapText loses nothing but blanks at the ends of lines", () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 16, max: 100 }), (text, width) => {
    const bare = (s: string): string => s.replaceAll(/\s/g, "");
    assert.equal(bare(wrapText(text, width).join("")), bare(text));
  }));
});

Deno.test("hangingLine indents what it wraps", () => {
  assert.equal(hangingLine("tcp: ports 0-112,114-138,140-1023", 30), "tcp: ports 0-112,114-138,\n  140-1023");
});
