/** @module */
import assert from "node:assert/strict";
import { SeizureBounds } from "../../../../src/respond/nftables/seizure_bounds.ts";

const BLOCK = { rate: 50, max_active: 1000 };

Deno.test("SeizureBounds tells of sources left free once a minute, with all that came meanwhile", () => {
  const bounds = new SeizureBounds();
  const told = (unseized: number, nowMs: number): string | undefined =>
    /of (\d+) probes/.exec(bounds.notice(BLOCK, { unseized, nowMs }) ?? "")?.[1];
  assert.deepEqual(
    [told(0, 0), told(7, 1000), told(9, 2000), told(12, 61_000), told(12, 61_001), told(12, 200_000)],
    [undefined, "7", undefined, undefined, "5", undefined],
  );
});

Deno.test("SeizureBounds names both bounds, and counts on when the table was made anew", () => {
  const bounds = new SeizureBounds();
  const first = bounds.notice(BLOCK, { unseized: 100, nowMs: 0 });
  assert.match(first ?? "", /block\.rate = 50 a second or block\.max_active = 1000/);
  assert.match(bounds.notice(BLOCK, { unseized: 3, nowMs: 100_000 }) ?? "", /of 3 probes/);
});
