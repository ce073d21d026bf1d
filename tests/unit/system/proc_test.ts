/** Small files, and what only looks like one. @module */
import assert from "node:assert/strict";
import { readSmallFile } from "../../../src/system/proc.ts";

Deno.test("readSmallFile reads a file, or its beginning when it is larger than allowed", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "0123456789");
    assert.equal(readSmallFile(path), "0123456789");
    assert.equal(readSmallFile(path, 10), "0123456789");
    assert.equal(readSmallFile(path, 4), "0123");
    await Deno.writeFile(path, Uint8Array.of(0x41, 0xff, 0x00, 0x42));
    assert.equal(readSmallFile(path), "A\ufffd\0B");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("readSmallFile reads a file of /proc, whose size is said to be 0", () => {
  assert.match(readSmallFile("/proc/self/stat") ?? "", /^\d+ \(/);
});

Deno.test("readSmallFile gives nothing for what is absent, a directory, a device or a FIFO nobody writes to", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const fifo = `${directory}/fifo`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    for (const path of [`${directory}/absent`, directory, "/dev/zero", fifo]) {
      assert.equal(readSmallFile(path), undefined);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
