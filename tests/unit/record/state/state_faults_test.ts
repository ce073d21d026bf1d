/**
 * The state through everything that can happen to its file.
 * @module
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { formatPrefix } from "../../../../src/net/prefix.ts";
import { State } from "../../../../src/record/state/state.ts";
import { TIME } from "../fixtures.ts";
import { ban, FakeClock, left, targets, withDatabase } from "./lab_state.ts";
import { address, prefix } from "../../../lab/addresses.ts";

Deno.test("State goes on in memory when the directory cannot be made, and writes everything when it can", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    const blocked = path.replace("portsnare.db", "file/portsnare.db");
    Deno.writeTextFileSync(path.replace("portsnare.db", "file"), "in the way");
    using state = new State(blocked, clock);
    assert.equal(state.health.ok, false);
    state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.2", clock)]);
    state.saveReleases([{ target: prefix("10.0.0.2"), time: clock.now(), cause: "unblocked", outcomes: [] }]);
    assert.deepEqual(targets(state), ["10.0.0.1"]);
    assert.equal(state.offences(prefix("10.0.0.1")), 1);
    assert.deepEqual(state.find(address("10.0.0.2")).map((story) => story.ended?.cause), ["expired"]);
    assert.equal(state.health.ok ? 0 : state.health.waiting, 3);
    assert.match(state.takeNews()[0]?.message ?? "", /Cannot use the state database .*in memory only/);
    Deno.removeSync(path.replace("portsnare.db", "file"));
    clock.pass(100);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    assert.match(state.takeNews().at(-1)?.message ?? "", /is written again/);
    state[Symbol.dispose]();
    using again = new State(blocked, clock);
    assert.deepEqual(targets(again), ["10.0.0.1"]);
    assert.equal(left(again, "10.0.0.1"), 3500);
    assert.deepEqual(again.find(address("10.0.0.2")).map((story) => story.ended?.cause), ["unblocked"]);
  });
});

Deno.test("State keeps a corrupt file aside, begins a new one and says so", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    Deno.writeTextFileSync(path, "this is no database ".repeat(1000));
    using state = new State(path, clock);
    assert.deepEqual(state.health, { ok: true });
    assert.equal(Deno.readTextFileSync(`${path}.corrupt-${TIME}`).length, 20_000);
    assert.match(
      state.takeNews().map((news) => news.message).join("\n"),
      /is kept as .*corrupt-\d+; a new one is begun/,
    );
    state.saveBans([ban("10.0.0.1", clock)]);
    state[Symbol.dispose]();
    using again = new State(path, clock);
    assert.deepEqual(targets(again), ["10.0.0.1"]);
  });
});

Deno.test("State keeps no more than five corrupt files and then works in memory", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    for (let i = 0; i < 7; i++) {
      Deno.writeTextFileSync(path, "no database ".repeat(1000));
      using state = new State(path, clock);
      assert.equal(state.health.ok, i < 5, `${i}`);
      state.saveBans([ban("10.0.0.1", clock)]);
      assert.deepEqual(targets(state), ["10.0.0.1"]);
    }
  });
});

Deno.test("State writes its bans anew when the file is removed or corrupted under it", async () => {
  for (const mishap of ["removed", "corrupted"] as const) {
    await withDatabase((path) => {
      const clock = new FakeClock();
      using state = new State(path, clock);
      state.saveBans(Array.from({ length: 200 }, (_, i) => ban(`10.0.1.${i}`, clock)));
      if (mishap === "removed") {
        for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(path + suffix);
      } else {
        new DatabaseSync(path).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        const size = Deno.statSync(path).size;
        const file = Deno.openSync(path, { write: true });
        file.seekSync(0, Deno.SeekMode.Start);
        file.writeSync(new Uint8Array(size).fill(0x55));
        file.close();
      }
      clock.pass(100);
      for (let i = 0; i < 5; i++) {
        state.saveBans([ban(`10.0.2.${i}`, clock)]);
        clock.pass(100);
        state.tick();
      }
      assert.deepEqual(state.health, { ok: true }, mishap);
      const aside = [...Deno.readDirSync(path.replace("/portsnare.db", ""))]
        .filter((entry) => entry.name.includes(".corrupt-"));
      assert.equal(aside.length > 0, mishap === "corrupted");
      state[Symbol.dispose]();
      using again = new State(path, clock);
      assert.equal(again.size, 205, mishap);
      assert.equal(left(again, "10.0.1.7"), 3000);
    });
  }
});

Deno.test("State waits for a lock no longer than a moment, goes on, and catches up", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    using other = new DatabaseSync(path);
    other.exec("BEGIN EXCLUSIVE");
    state.saveBans([ban("10.0.0.1", clock)]);
    assert.equal(state.health.ok ? "ok" : state.health.kind, "locked");
    state.saveBans([ban("10.0.0.2", clock)]);
    assert.equal(state.size, 2);
    other.exec("ROLLBACK");
    clock.pass(5);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    assert.equal(other.prepare("SELECT count(*) AS n FROM bans").get()?.["n"], 2);
  });
});

Deno.test("State opened on a locked file finds its bans when the lock is gone", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.2", clock)]);
    }
    const other = new DatabaseSync(path);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE bans SET ports = ports");
    using state = new State(path, clock);
    assert.deepEqual([state.health.ok, state.size], [false, 0]);
    state.saveBans([ban("10.0.0.3", clock)]);
    state.saveReleases([{ target: prefix("10.0.0.2"), time: clock.now(), cause: "unblocked", outcomes: [] }]);
    other.exec("ROLLBACK");
    other.close();
    clock.pass(100);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    assert.deepEqual(targets(state), ["10.0.0.1", "10.0.0.3"]);
    assert.deepEqual(state.takeLateBans().map(formatPrefix), ["10.0.0.1"]);
  });
});

Deno.test("State leaves a file of a later release alone", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    const other = new DatabaseSync(path);
    other.exec("PRAGMA user_version = 99; CREATE TABLE future (x)");
    other.close();
    using state = new State(path, clock);
    assert.equal(state.health.ok ? "ok" : state.health.kind, "newer");
    state.saveBans([ban("10.0.0.1", clock)]);
    state.tick();
    assert.equal(state.size, 1);
    using reader = new DatabaseSync(path);
    assert.deepEqual(reader.prepare("SELECT name FROM sqlite_schema").all().map((row) => row["name"]), [
      "future",
    ]);
  });
});

Deno.test("State leaves out a row that makes no sense rather than banning somebody else", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.2", clock), ban("10.0.0.3", clock)]);
    }
    const other = new DatabaseSync(path);
    other.exec("UPDATE bans SET target = '10.0.0.300' WHERE target = '10.0.0.2'");
    other.exec("UPDATE bans SET evidence = '{broken', outcomes = '[7]' WHERE target = '10.0.0.3'");
    other.close();
    using state = new State(path, clock);
    assert.deepEqual(targets(state), ["10.0.0.1", "10.0.0.3"]);
    const [story] = state.find(address("10.0.0.3"));
    assert.deepEqual([story?.evidence, story?.outcomes], [[], []]);
  });
});

Deno.test("State closes every descriptor", async () => {
  await withDatabase((path) => {
    // Other tests run beside this one in the same process: only this database's descriptors are counted.
    const count = () => openFilesBelow(path);
    const clock = new FakeClock();
    new State(path, clock)[Symbol.dispose]();
    const before = count();
    for (let i = 0; i < 20; i++) {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock)]);
    }
    assert.equal(count(), before);
  });
});

/** How many descriptors of this process are open on files whose paths begin like this. */
function openFilesBelow(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(path);
    } catch {
      // Closed while we looked.
      return false;
    }
  }).length;
}
