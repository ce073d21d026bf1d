import assert from "node:assert/strict";
import { LeasedFile } from "../../../src/ffi/leased_file.ts";

async function withFile(body: (path: string) => Promise<void> | void): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "portsnare-lease-" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Descriptors on this file: other tests run beside this one in the same process and open some of their own. */
function openDescriptors(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      // Closed while we looked.
      return false;
    }
  }).length;
}

Deno.test("LeasedFile reads, writes and shortens", async () => {
  await withFile((path) => {
    Deno.writeTextFileSync(path, "0123456789");
    using file = LeasedFile.open(path);
    assert.ok(file !== undefined);
    assert.equal(file.statSync().size, 10);
    file.seekSync(3);
    const buffer = new Uint8Array(4);
    assert.equal(file.readSync(buffer), 4);
    assert.equal(new TextDecoder().decode(buffer), "3456");
    assert.equal(file.statSync().size, 10);
    assert.equal(file.writeSync(new TextEncoder().encode("ab")), 2, "size() does not move the position");
    file.seekSync(10);
    assert.equal(file.readSync(buffer), null);
    file.truncateSync(9);
    file[Symbol.dispose]();
    file[Symbol.dispose]();
    assert.equal(Deno.readTextFileSync(path), "0123456ab");
  });
});

Deno.test("LeasedFile.open gives nothing while somebody else has the file open, and leaks nothing", async () => {
  await withFile((path) => {
    const before = openDescriptors(path);
    {
      using other = Deno.openSync(path, { read: true });
      assert.ok(other.statSync().isFile);
      assert.equal(LeasedFile.open(path), undefined);
    }
    assert.equal(LeasedFile.open(`${path}.missing`), undefined);
    LeasedFile.open(path)?.[Symbol.dispose]();
    assert.equal(openDescriptors(path), before);
  });
});

Deno.test("LeasedFile.open follows no symbolic link", async () => {
  await withFile((path) => {
    Deno.symlinkSync(path, `${path}.link`);
    try {
      assert.equal(LeasedFile.open(`${path}.link`), undefined);
    } finally {
      Deno.removeSync(`${path}.link`);
    }
  });
});

Deno.test("LeasedFile makes another program wait instead of writing beside it", async () => {
  await withFile(async (path) => {
    Deno.writeTextFileSync(path, "long contents\n");
    const file = LeasedFile.open(path);
    assert.ok(file !== undefined);
    const child = new Deno.Command("sh", { args: ["-c", 'echo theirs >> "$1"', "sh", path] }).spawn();
    for (let turn = 0; turn < 100 && !(await waitsToOpen(child.pid)); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(await waitsToOpen(child.pid), "it waits");
    file.truncateSync(5);
    file[Symbol.dispose]();
    assert.equal((await child.status).success, true);
    assert.equal(Deno.readTextFileSync(path), "long theirs\n");
  });
});

async function waitsToOpen(pid: number): Promise<boolean> {
  return /lease/.test(await Deno.readTextFile(`/proc/${pid}/wchan`).catch(() => ""));
}
