import assert from "node:assert/strict";
import fc from "fast-check";
import { largest, median, medianBounds, ratio } from "../../../../bench/measure/statistics.ts";

Deno.test("median is the middle value, or between the two middle ones", () => {
  const cases: readonly (readonly [readonly number[], number | undefined])[] = [
    [[], undefined],
    [[7], 7],
    [[3, 1], 2],
    [[9, 1, 5], 5],
    // As text, 10 would come before 9.
    [[10, 9, 100], 10],
    [[4, 1, 3, 2], 2.5],
  ];
  for (const [values, expected] of cases) assert.equal(median(values), expected, `median of ${values}`);
});

Deno.test("median has as many values below it as above, in whatever order they come", () => {
  fc.assert(fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
    const middle = median(values) ?? NaN;
    const below = values.filter((value) => value < middle).length;
    const above = values.filter((value) => value > middle).length;
    assert.ok(below * 2 <= values.length && above * 2 <= values.length);
  }));
});

Deno.test("medianBounds are the ranks of the sign test, and nothing for too few values", () => {
  // Number of values and rank of the lower bound, from the tables of the sign test (two-sided, 5 %).
  const ranks: readonly (readonly [number, number])[] = [[6, 1], [8, 1], [9, 2], [10, 2], [12, 3], [20, 6], [
    30,
    10,
  ]];
  for (const [count, rank] of ranks) {
    const values = Array.from({ length: count }, (_, index) => (index * 7) % count + 1);
    const sorted = values.toSorted((a, b) => a - b);
    assert.deepEqual(medianBounds(values), [sorted[rank - 1], sorted[count - rank]], `of ${count}`);
  }
  assert.equal(medianBounds([1, 2, 3, 4, 5]), undefined);
});

Deno.test("largest is undefined of nothing", () => {
  assert.equal(largest([]), undefined);
  assert.equal(largest([-3, -1, -2]), -1);
});

Deno.test("ratio cannot be said of nothing, nor to nothing", () => {
  assert.equal(ratio(1, 4), 0.25);
  assert.equal(ratio(1, 0), undefined);
  assert.equal(ratio(undefined, 1), undefined);
  assert.equal(ratio(1, undefined), undefined);
});
