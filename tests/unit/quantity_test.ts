import assert from "node:assert/strict";
import { quantity } from "../../src/quantity.ts";

Deno.test("quantity takes the singular for one, and for nothing else", () => {
  assert.deepEqual([0, 1, 2].map((count) => quantity(count, "port")), ["0 ports", "1 port", "2 ports"]);
  assert.equal(quantity(1, "ban is", "bans are"), "1 ban is");
  assert.equal(quantity(2, "ban is", "bans are"), "2 bans are");
});
