/**
 * A reader who is slow or gone does not hold anybody up.
 * @module
 */
import assert from "node:assert/strict";
import { type ByteWriter, LineStream } from "../../../src/record/line_stream.ts";

class Reader implements ByteWriter {
  text = "";
  writes = 0;
  chunk = Infinity;
  gate: Promise<void> = Promise.resolve();
  isGone = false;

  async write(bytes: Uint8Array): Promise<number> {
    await this.gate;
    if (this.isGone) throw new Deno.errors.BrokenPipe();
    this.writes++;
    const taken = bytes.subarray(0, this.chunk);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

const told = (lines: number): string => `${lines} lost`;

Deno.test("LineStream writes a batch at once and what a short write left over", async () => {
  const reader = new Reader();
  const stream = new LineStream(reader, told);
  for (const line of ["a", "b", "c"]) stream.write(line);
  await stream.flush();
  assert.deepEqual([reader.text, reader.writes], ["a\nb\nc\n", 1]);
  reader.chunk = 1;
  stream.write("dd");
  await stream.flush();
  assert.equal(reader.text, "a\nb\nc\ndd\n");
});

Deno.test("LineStream never waits for its reader, and tells afterwards what was lost", async () => {
  const reader = new Reader();
  const { promise, resolve } = Promise.withResolvers<void>();
  reader.gate = promise;
  const stream = new LineStream(reader, told);
  stream.write("first");
  await Promise.resolve();
  for (let i = 0; i < 8200; i++) stream.write(`line ${i}`);
  assert.equal(stream.lost, 8);
  resolve();
  await stream.flush();
  const lines = reader.text.trimEnd().split("\n");
  assert.deepEqual([lines.length, lines[0], lines.at(-2), lines.at(-1)], [
    8194,
    "first",
    "line 8191",
    "8 lost",
  ]);
});

Deno.test("LineStream counts what a reader who is gone did not get, and goes on", async () => {
  const reader = new Reader();
  reader.isGone = true;
  const stream = new LineStream(reader, told);
  stream.write("x");
  await stream.flush();
  assert.equal(stream.lost, 1);
  reader.isGone = false;
  stream.write("y");
  await stream.flush();
  assert.equal(reader.text, "y\n1 lost\n");
});
