/** What FileWatch sees. @module */
import assert from "node:assert/strict";
import { FileWatch } from "../../../src/system/file_watch.ts";
import { until } from "../../lab/lab.ts";

Deno.test("FileWatch finds a file whose directory comes into being later", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/later/file`;
    let told = 0;
    using _watch = new FileWatch({ paths: [path], onChange: () => told++, lookMs: 20 });
    await Deno.mkdir(`${directory}/later`);
    await Deno.writeTextFile(path, "1");
    await until("the file is seen", () => told > 0);
    const before = told;
    await Deno.remove(path);
    await until("its end is seen", () => told > before);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("FileWatch finds a symbolic link that is made in place of a removed one", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/file`;
    await Deno.writeTextFile(`${directory}/target`, "1");
    await Deno.writeTextFile(path, "1");
    let told = 0;
    using _watch = new FileWatch({ paths: [path], onChange: () => told++, lookMs: 20 });
    await Deno.remove(path);
    await until("its end is seen", () => told > 0);
    const before = told;
    await Deno.symlink("target", path);
    await until("the link is seen", () => told > before);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("FileWatch leaves nothing running and says nothing after dispose, which twice is harmless", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/file`;
    const watch = new FileWatch({
      paths: [path],
      onChange: () => assert.fail("told after dispose"),
      lookMs: 10,
    });
    // At once, so that it has no time to look before.
    Deno.writeTextFileSync(path, "1");
    watch[Symbol.dispose]();
    watch[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 50));
    // The test runner's sanitizers fail this test if a timer is left.
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
