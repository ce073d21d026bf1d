import assert from "node:assert/strict";
import fc from "fast-check";
import { editFile, replaceFile } from "../../../src/system/atomic_file.ts";
import { type SeekableFile, shorten } from "../../../src/system/in_place.ts";
import { readRegularFile } from "../../../src/system/regular_file.ts";

const MODE = { mode: 0o644 };
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (contents: Uint8Array): string => new TextDecoder().decode(contents);

async function inDirectory(body: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-file-" });
  try {
    await body(directory);
    assert.deepEqual([...Deno.readDirSync(directory)].filter((entry) => entry.name.startsWith(".")), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("replaceFile makes a missing file with the mode asked for, whatever the umask", async () => {
  await inDirectory((directory) => {
    const path = `${directory}/new`;
    const umask = Deno.umask(0o077);
    try {
      replaceFile(path, "hello\n", MODE);
    } finally {
      Deno.umask(umask);
    }
    assert.equal(Deno.readTextFileSync(path), "hello\n");
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o7777, 0o644);
  });
});

Deno.test("replaceFile keeps mode and owner of an existing file", async () => {
  await inDirectory((directory) => {
    const path = `${directory}/old`;
    Deno.writeTextFileSync(path, "old");
    Deno.chmodSync(path, 0o640);
    const before = Deno.statSync(path);
    replaceFile(path, "new", MODE);
    const after = Deno.statSync(path);
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
    assert.notEqual(after.ino, before.ino, "another file was renamed over it");
    assert.equal(Deno.readTextFileSync(path), "new");
  });
});

Deno.test("replaceFile and editFile refuse what is no regular file and leave it alone", async () => {
  await inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/target`, "precious");
    Deno.symlinkSync(`${directory}/target`, `${directory}/link`);
    Deno.mkdirSync(`${directory}/dir`);
    await new Deno.Command("mkfifo", { args: [`${directory}/fifo`] }).output();
    for (
      const [name, why] of [["link", /symbolic link/], ["dir", /directory/], [
        "fifo",
        /regular file/,
      ]] as const
    ) {
      const path = `${directory}/${name}`;
      assert.throws(() => replaceFile(path, "x", MODE), why, name);
      await assert.rejects(editFile(path, () => bytes("x"), MODE), why, name);
      assert.throws(() => readRegularFile(path), why, name);
    }
    assert.equal(Deno.readTextFileSync(`${directory}/target`), "precious");
  });
});

Deno.test("replaceFile leaves the old file and no temporary one when it cannot finish", async () => {
  await inDirectory((directory) => {
    assert.throws(() => replaceFile(`${directory}/no/such/dir`, "x", MODE), /Cannot write .*\/no\/such\/dir/);
  });
});

Deno.test("editFile appends, shortens, makes and leaves alone", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/file`;
    const to = (wanted: string | undefined) => (): Uint8Array<ArrayBuffer> | undefined =>
      wanted === undefined ? undefined : bytes(wanted);
    const umask = Deno.umask(0o077);
    assert.equal(await editFile(path, to("a\nb\n"), MODE), true);
    Deno.umask(umask);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o644, "PortSentry left it unreadable for tcpd");
    const { ino } = Deno.statSync(path);
    for (
      const [wanted, changed] of [
        ["a\nb\nc\n", true],
        ["a\nb\nc\n", false],
        [undefined, false],
        ["a\nc\n", true],
        ["x\nc\n", true],
        ["", true],
      ] as const
    ) {
      const before = Deno.readTextFileSync(path);
      assert.equal(await editFile(path, to(wanted), MODE), changed, `${before} -> ${wanted}`);
      assert.equal(Deno.readTextFileSync(path), wanted ?? before);
    }
    assert.equal(Deno.statSync(path).ino, ino, "it is the same file all the time");
  });
});

Deno.test("editFile gives up when another program keeps its lock", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/file`;
    Deno.writeTextFileSync(path, "a\n");
    using other = Deno.openSync(path, { read: true, write: true });
    other.lockSync(true);
    await assert.rejects(editFile(path, () => bytes("b\n"), MODE), /holds a lock/);
    assert.equal(Deno.readTextFileSync(path), "a\n");
    other.unlockSync();
    assert.equal(await editFile(path, () => bytes("b\n"), MODE), true);
  });
});

Deno.test("editFile starts again when an editor renamed another file into place", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/file`;
    Deno.writeTextFileSync(path, "a\n");
    let calls = 0;
    await editFile(path, (contents) => {
      if (calls++ === 0) {
        Deno.writeTextFileSync(`${directory}/edited`, "a\nadmin\n");
        Deno.renameSync(`${directory}/edited`, path);
      }
      return bytes(`${text(contents)}ours\n`);
    }, MODE);
    assert.equal(calls, 2);
    assert.equal(Deno.readTextFileSync(path), "a\nadmin\nours\n");
  });
});

/** A file in memory to which others append between our steps, and whose writes fail on command. */
class FakeFile implements SeekableFile {
  contents: Uint8Array<ArrayBuffer>;
  #at = 0;
  readonly #others: string[];
  #writesLeft: number;

  constructor(
    contents: string,
    options: { readonly others?: readonly string[]; readonly writes?: number } = {},
  ) {
    this.contents = bytes(contents);
    this.#others = [...options.others ?? []];
    this.#writesLeft = options.writes ?? Infinity;
  }

  seekSync(offset: number | bigint): number {
    return this.#at = Number(offset);
  }

  readSync(buffer: Uint8Array): number | null {
    const piece = this.contents.subarray(this.#at, this.#at + buffer.length);
    buffer.set(piece);
    this.#at += piece.length;
    return piece.length === 0 ? null : piece.length;
  }

  writeSync(buffer: Uint8Array): number {
    if (this.#writesLeft-- === 0) throw new Error("No space left on device");
    const length = Math.min(3, buffer.length);
    const grown = new Uint8Array(Math.max(this.contents.length, this.#at + length));
    grown.set(this.contents);
    grown.set(buffer.subarray(0, length), this.#at);
    this.contents = grown;
    this.#at += length;
    const other = this.#others.shift();
    if (other !== undefined) this.contents = bytes(text(this.contents) + other);
    return length;
  }

  truncateSync(length?: number): void {
    this.contents = this.contents.slice(0, length ?? 0);
  }

  statSync(): { readonly size: number } {
    return { size: this.contents.length };
  }
}

Deno.test("shorten takes along whatever others append while it works", () => {
  const line = fc.stringMatching(/^[a-z]{0,8}\n$/);
  fc.assert(fc.property(
    fc.array(line, { maxLength: 8 }),
    fc.nat(8),
    fc.array(line, { maxLength: 6 }),
    (lines, drop, others) => {
      const old = lines.join("");
      const wanted = lines.filter((_, index) => index !== drop).join("");
      const file = new FakeFile(old, { others });
      shorten(file, bytes(old), bytes(wanted));
      const now = text(file.contents);
      assert.ok(now.startsWith(wanted), JSON.stringify({ old, wanted, now }));
      assert.ok(others.join("").startsWith(now.slice(wanted.length)), JSON.stringify({ others, now }));
    },
  ));
});

Deno.test("shorten puts the old contents back when a write fails, others' lines included", () => {
  const old = "first line\nsecond line\nthird line\n";
  for (let writes = 0; writes < 8; writes++) {
    const file = new FakeFile(old, { others: ["", "other\n"], writes });
    let failed = false;
    try {
      shorten(file, bytes(old), bytes("first line\nthird line\n"));
    } catch {
      failed = true;
    }
    const now = text(file.contents);
    const wanted = failed ? old : "first line\nthird line\n";
    assert.ok(now === wanted || now === `${wanted}other\n`, JSON.stringify({ writes, failed, now }));
  }
});
