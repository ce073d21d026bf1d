/**
 * The history file through rotation, mishaps and a full disk.
 * @module
 */
import assert from "node:assert/strict";
import { AppendFile } from "../../../src/record/append_file.ts";

const WRITTEN = { ok: true, waiting: false } as const;

/** A clock that a test moves on. */
class Clock {
  nowMs = 0;
  monotonicMs(): number {
    return this.nowMs;
  }
}

function withDirectory(body: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("C8: AppendFile makes the file, and its directory, even before there is a line", () => {
  withDirectory((directory) => {
    using file = new AppendFile(`${directory}/new/history`);
    assert.deepEqual(file.append([]), WRITTEN);
    const info = Deno.statSync(`${directory}/new/history`);
    assert.equal((info.mode ?? 0) & 0o777, 0o640);
    assert.equal((Deno.statSync(`${directory}/new`).mode ?? 0) & 0o777, 0o750);
  });
});

Deno.test("F9: AppendFile adds to what is there", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    Deno.writeTextFileSync(path, "old\n");
    for (const line of ["one", "two"]) {
      using file = new AppendFile(path);
      file.append([line]);
    }
    assert.equal(Deno.readTextFileSync(path), "old\none\ntwo\n");
  });
});

Deno.test("AppendFile starts a line of its own after one that was left open", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    Deno.writeTextFileSync(path, "edited by hand");
    using file = new AppendFile(path);
    file.append(["one"]);
    assert.equal(Deno.readTextFileSync(path), "edited by hand\none\n");
  });
});

Deno.test("AppendFile loses no line while the file is rotated in any of logrotate's ways between writes", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    const clock = new Clock();
    using file = new AppendFile(path, clock);
    const rotated: string[] = [];
    for (let i = 0; i < 300; i++) {
      clock.nowMs += 200;
      assert.deepEqual(file.append([`line ${i}`]), { ok: true, waiting: i % 10 >= 4 && i % 10 <= 6 });
      if (i % 10 === 3) {
        Deno.renameSync(path, `${path}.1`);
        rotated.push(Deno.readTextFileSync(`${path}.1`));
      }
      if (i % 10 === 9) {
        Deno.renameSync(path, `${path}.1`);
        Deno.writeTextFileSync(path, "", { mode: 0o640 });
        rotated.push(Deno.readTextFileSync(`${path}.1`));
      }
      if (i % 10 === 8) {
        rotated.push(Deno.readTextFileSync(path));
        Deno.truncateSync(path);
      }
    }
    const all = [...rotated, Deno.readTextFileSync(path)].join("").trimEnd().split("\n");
    assert.deepEqual(all, Array.from({ length: 300 }, (_, i) => `line ${i}`));
  });
});

Deno.test("AppendFile leaves the making of the next file to logrotate, and makes it itself when nobody does", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    const clock = new Clock();
    const file = new AppendFile(path, clock);
    file.append(["one"]);
    Deno.renameSync(path, `${path}.1`);
    assert.deepEqual(file.append(["two"]), { ok: true, waiting: true });
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    Deno.writeTextFileSync(path, "", { createNew: true, mode: 0o604 });
    assert.deepEqual(file.append([]), WRITTEN);
    assert.equal(Deno.readTextFileSync(path), "two\n");
    Deno.removeSync(path);
    assert.deepEqual(file.append([]), { ok: true, waiting: false });
    clock.nowMs += 500;
    assert.deepEqual(file.append([]), WRITTEN);
    assert.equal(Deno.readTextFileSync(path), "", "it is there although there is no line");
    Deno.removeSync(path);
    assert.deepEqual(file.append(["three"]), { ok: true, waiting: true });
    file[Symbol.dispose]();
    assert.equal(Deno.readTextFileSync(path), "three\n", "nothing waits for ever");
  });
});

Deno.test("AppendFile.moveTo takes what waits to the other file", () => {
  withDirectory((directory) => {
    using file = new AppendFile(`${directory}/one`, new Clock());
    file.append(["first"]);
    Deno.removeSync(`${directory}/one`);
    file.append(["second"]);
    file.moveTo(`${directory}/two`);
    assert.deepEqual(file.append(["third"]), WRITTEN);
    assert.equal(Deno.readTextFileSync(`${directory}/two`), "second\nthird\n");
  });
});

Deno.test("AppendFile returns a failure, keeps the lines and writes them when it can", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    Deno.mkdirSync(path);
    using file = new AppendFile(path);
    const refused = file.append(["one"]);
    assert.equal(refused.ok, false);
    assert.match(refused.ok ? "" : refused.error, /history: not a regular file/);
    Deno.removeSync(path);
    assert.deepEqual(file.append(["two"]), WRITTEN);
    assert.equal(Deno.readTextFileSync(path), "one\ntwo\n");
  });
});

Deno.test("AppendFile counts the lines that no longer fit while it waits", () => {
  withDirectory((directory) => {
    const path = `${directory}/history`;
    Deno.mkdirSync(path);
    using file = new AppendFile(path);
    const line = "x".repeat(1023);
    for (let i = 0; i < 1024; i++) file.append([line]);
    const last = file.append([line, line]);
    assert.equal(last.ok ? undefined : last.lost, 2);
    Deno.removeSync(path);
    file.append([]);
    assert.equal(Deno.statSync(path).size, 1 << 20);
  });
});
