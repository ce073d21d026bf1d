import assert from "node:assert/strict";
import { TokenBucket } from "../../../src/system/token_bucket.ts";

Deno.test("TokenBucket grants a burst, then what flows back", () => {
  const budget = new TokenBucket({ burst: 3, perSecond: 100 });
  assert.deepEqual([0, 0, 0, 0].map((now) => budget.take(now)), [true, true, true, false]);
  assert.equal(budget.take(9), false);
  assert.equal(budget.take(11), true);
  assert.equal(budget.take(12), false);
});

Deno.test("TokenBucket never holds more than its burst", () => {
  const budget = new TokenBucket({ burst: 2, perSecond: 1000 });
  budget.take(0);
  assert.deepEqual([1e9, 1e9, 1e9].map((now) => budget.take(now)), [true, true, false]);
});

Deno.test("TokenBucket survives a clock that steps back", () => {
  const budget = new TokenBucket({ burst: 1, perSecond: 1000 });
  assert.equal(budget.take(100), true);
  assert.equal(budget.take(50), false);
  assert.equal(budget.take(51), true);
});
