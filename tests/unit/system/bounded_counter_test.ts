import assert from "node:assert/strict";
import { BoundedCounter } from "../../../src/system/bounded_counter.ts";

Deno.test("BoundedCounter forgets the key that was counted longest ago, and counts it anew", () => {
  const counter = new BoundedCounter(2);
  for (const key of ["a", "b", "a", "c"]) counter.add(key);
  assert.deepEqual(["a", "b", "c"].map((key) => counter.get(key)), [2, 0, 1]);
  counter.add("b");
  assert.deepEqual(["a", "b", "c"].map((key) => counter.get(key)), [0, 1, 1]);
});
