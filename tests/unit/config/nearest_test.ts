import assert from "node:assert/strict";
import fc from "fast-check";
import { editDistance, nearestName } from "../../../src/config/nearest.ts";

Deno.test("editDistance counts one for each insertion, deletion, replacement and swap", () => {
  const rows: [a: string, b: string, distance: number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["mode", "mode", 0],
    ["mode", "modes", 1],
    ["mode", "mde", 1],
    ["mode", "node", 1],
    ["mode", "mdoe", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
  ];
  for (const [a, b, distance] of rows) assert.equal(editDistance(a, b), distance, `${a} → ${b}`);
});

Deno.test("editDistance is symmetric, zero only for equal words, and no more than the longer word", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    assert.equal(distance, editDistance(b, a));
    assert.equal(distance === 0, a === b);
    assert.ok(distance <= Math.max(a.length, b.length));
  }));
});

Deno.test("nearestName finds what was meant, and nothing when nothing is near", () => {
  const known = ["mode", "ports", "advanced_below", "exclude", "response"];
  const rows: [written: string, meant: string | undefined][] = [
    ["Mode", "mode"],
    ["mdoe", "mode"],
    ["prots", "ports"],
    ["advanced-below", "advanced_below"],
    ["ADVANCED_BELOW", "advanced_below"],
    ["exlude", "exclude"],
    ["tcp", undefined],
    ["", undefined],
    ["x".repeat(1000), undefined],
  ];
  for (const [written, meant] of rows) assert.equal(nearestName(written, known), meant, written);
});
