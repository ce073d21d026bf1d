import assert from "node:assert/strict";
import { Batcher } from "../../../src/respond/batcher.ts";

Deno.test("Batcher starts at once when idle and merges what comes meanwhile, in order", async () => {
  const batches: (readonly number[])[] = [];
  const ends: (() => void)[] = [];
  const batcher = new Batcher<number, number>(async (requests) => {
    batches.push(requests);
    await new Promise<void>((resolve) => ends.push(resolve));
    return requests.map((request) => request * 10);
  });
  const first = batcher.submit([1]);
  assert.deepEqual(batches, [[1]], "before submit returns");
  const second = batcher.submit([2, 3]);
  const third = batcher.submit([4]);
  assert.equal(batches.length, 1, "never two at once");
  ends[0]?.();
  assert.deepEqual(await first, [10]);
  ends[1]?.();
  assert.deepEqual([await second, await third], [[20, 30], [40]]);
  assert.deepEqual(batches, [[1], [2, 3, 4]]);
});

Deno.test("Batcher gives nothing for nothing, passes an error on and goes on after it", async () => {
  let fail = true;
  const batcher = new Batcher<number, number>((requests) => {
    if (fail) throw new Error("no");
    return Promise.resolve(requests);
  });
  assert.deepEqual(await batcher.submit([]), []);
  await assert.rejects(batcher.submit([1]), /no/);
  fail = false;
  assert.deepEqual(await batcher.submit([2]), [2]);
});
