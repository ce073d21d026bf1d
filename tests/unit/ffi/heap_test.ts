import assert from "node:assert/strict";
import { releaseFreeMemory } from "../../../src/ffi/heap.ts";

const libc = Deno.dlopen("libc.so.6", {
  malloc: { parameters: ["usize"], result: "pointer" },
  memset: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  free: { parameters: ["pointer"], result: "void" },
}).symbols;

/** Below the size that malloc takes from the kernel, and gives back, piece by piece. */
const BLOCK_BYTES = 100_000n;
const BLOCKS = 600;
const HALF = Number(BLOCK_BYTES) * BLOCKS / 2;

Deno.test("releaseFreeMemory gives back what was freed", () => {
  const blocks = Array.from({ length: BLOCKS }, () => libc.malloc(BLOCK_BYTES));
  // Memory that was never written to is not there.
  for (const block of blocks) libc.memset(block, 1, BLOCK_BYTES);
  // The last one keeps the heap from shrinking by itself.
  for (const block of blocks.slice(0, -1)) libc.free(block);
  const before = Deno.memoryUsage().rss;
  releaseFreeMemory();
  const after = Deno.memoryUsage().rss;
  for (const block of blocks.slice(-1)) libc.free(block);
  assert.ok(before - after > HALF, `${before} bytes before, ${after} after`);
});
