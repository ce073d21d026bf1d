import assert from "node:assert/strict";
import { LineBuffer } from "../../../src/cli/line_buffer.ts";

Deno.test("LineBuffer hands over every line once, in order, in few blocks", () => {
  const blocks: string[] = [];
  const buffer = new LineBuffer((block) => blocks.push(block));
  const lines = Array.from({ length: 10_000 }, (_, index) => `line ${index}`);
  for (const line of lines) buffer.add(line);
  buffer.flush();
  assert.deepEqual(blocks.join("\n").split("\n"), lines);
  assert.ok(blocks.length < 10, `${blocks.length} blocks`);
});

Deno.test("LineBuffer waits for more, gives an empty line as one, and nothing when there is nothing", () => {
  const blocks: string[] = [];
  const buffer = new LineBuffer((block) => blocks.push(block));
  buffer.flush();
  buffer.add("");
  assert.deepEqual(blocks, []);
  buffer.flush();
  buffer.flush();
  assert.deepEqual(blocks, [""]);
});

Deno.test("LineBuffer does not give a block twice that could not be written", () => {
  let attempts = 0;
  const buffer = new LineBuffer(() => {
    attempts++;
    throw new Deno.errors.BrokenPipe();
  });
  buffer.add("a");
  assert.throws(() => buffer.flush(), Deno.errors.BrokenPipe);
  buffer.flush();
  assert.equal(attempts, 1);
});
