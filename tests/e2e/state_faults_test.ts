/**
 * The state database under what only a real system does: death at any moment, a full disk, a read-only one. Needs root.
 * @module
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { AppendFile } from "../../src/record/append_file.ts";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import { run, until } from "../lab/lab.ts";
import { ban, FakeClock, withDatabase } from "../unit/record/state/lab_state.ts";
import { prefix } from "../lab/addresses.ts";

const ROOT = new URL("../..", import.meta.url);

/** Bans one address after the other, says each when it is saved, lifts every third, and goes on until it is killed. */
const WRITER = `
import { State } from ${JSON.stringify(import.meta.resolve("../../src/record/state/state.ts"))};
import { ban } from ${JSON.stringify(import.meta.resolve("../unit/record/state/lab_state.ts"))};
import { prefix } from ${JSON.stringify(import.meta.resolve("../lab/addresses.ts"))};
import { systemClock } from ${JSON.stringify(import.meta.resolve("../../src/system/clock.ts"))};
const state = new State(Deno.args[0], systemClock);
const say = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text + "\\n"));
for (let i = 0;; i++) {
  const address = \`10.\${i >> 16}.\${(i >> 8) & 255}.\${i & 255}\`;
  state.saveBans([ban(address, systemClock)]);
  say("made " + address);
  if (i % 3 === 0) {
    say("lifting " + address);
    state.saveReleases([{ target: prefix(address), time: systemClock.now(), cause: "unblocked", outcomes: [] }]);
    say("lifted " + address);
  }
  if (i % 7 === 0) state.tick();
}
`;

/** A file system of its own in the directory, for the length of the body. */
async function mounted(
  options: string,
  body: (directory: string) => void | Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const mount = await run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]);
  assert.equal(mount.code, 0, `mount: ${mount.stderr} (this test needs root)`);
  try {
    await body(directory);
  } finally {
    await run(["umount", "-l", directory]);
    await Deno.remove(directory);
  }
}

function fill(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const block = new Uint8Array(4096);
  assert.throws(() => {
    for (let i = 0; i < 100_000; i++) file.writeSync(block);
  }, /os error 28/);
}

Deno.test("F7: State loses no ban that was told as made when the process is killed at any moment", async () => {
  await withDatabase(async (path) => {
    for (let round = 0; round < 8; round++) {
      await Deno.remove(path).catch(() => {});
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "-", path],
        cwd: ROOT,
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const program = child.stdin.getWriter();
      await program.write(new TextEncoder().encode(WRITER));
      await program.close();
      let told = "";
      const reading = (async () => {
        for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) told += chunk;
      })();
      await until("some bans", () => told.split("\n").length > 20 + round * 53, 30);
      child.kill("SIGKILL");
      await child.status;
      await reading;
      const expected = new Set<string>();
      let doubtful = "";
      for (const line of told.split("\n").slice(0, -1)) {
        const [what = "", address = ""] = line.split(" ");
        if (what === "made") expected.add(address);
        if (what === "lifting") doubtful = address;
        if (what === "lifted") expected.delete(address);
      }
      using state = new State(path, systemClock);
      assert.deepEqual(state.health, { ok: true });
      const actual = new Set([...state.active()].map((active) => active.target.address.w3));
      const bits = (text: string): number => prefix(text).address.w3;
      for (const address of expected) {
        // Its release was under way: either is right.
        if (address !== doubtful) assert.ok(actual.has(bits(address)), `${address} was told as made`);
      }
      const last = Math.max(...[...expected].map(bits));
      for (const address of actual) {
        assert.ok(
          [...expected].some((text) => bits(text) === address) || address === last + 1 ||
            address === last + 2,
        );
      }
    }
  });
});

Deno.test("State goes on when the disk is full, says so, and writes everything once there is room", async () => {
  await mounted("size=2m", (directory) => {
    const clock = new FakeClock();
    const path = `${directory}/portsnare.db`;
    using state = new State(path, clock);
    state.saveBans([ban("10.0.0.1", clock)]);
    assert.deepEqual(state.health, { ok: true });
    fill(`${directory}/ballast`);
    for (let i = 0; i < 500; i++) state.saveBans([ban(`10.0.${1 + (i >> 8)}.${i & 255}`, clock)]);
    assert.equal(state.health.ok ? "ok" : state.health.kind, "full");
    assert.equal(state.size, 501);
    assert.equal(state.offences(prefix("10.0.1.1")), 1);
    const told = state.takeNews().map((news) => news.message);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /full.*in memory only/);
    Deno.removeSync(`${directory}/ballast`);
    clock.pass(61);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    assert.match(state.takeNews()[0]?.message ?? "", /is written again/);
    state[Symbol.dispose]();
    using again = new State(path, clock);
    assert.equal(again.size, 501);
    assert.equal(again.get(prefix("10.0.1.1"))?.secondsLeft, 3539);
  });
});

Deno.test("State: a clock set while the disk is full moves no ban either", async () => {
  await mounted("size=2m", (directory) => {
    const clock = new FakeClock();
    const path = `${directory}/portsnare.db`;
    using state = new State(path, clock);
    state.saveBans(Array.from({ length: 200 }, (_, i) => ban(`10.0.1.${i}`, clock)));
    fill(`${directory}/ballast`);
    clock.wall += 7200;
    for (let i = 0; i < 3; i++) {
      clock.pass(100);
      state.tick();
    }
    state.saveBans([ban("10.0.2.1", clock)]);
    assert.equal(state.health.ok, false);
    Deno.removeSync(`${directory}/ballast`);
    clock.pass(100);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    state[Symbol.dispose]();
    using again = new State(path, clock);
    assert.deepEqual(["10.0.1.7", "10.0.2.1"].map((text) => again.get(prefix(text))?.secondsLeft), [
      3200,
      3500,
    ]);
  });
});

Deno.test("State begun on a full disk works in memory and catches up", async () => {
  await mounted("size=1m", (directory) => {
    const clock = new FakeClock();
    fill(`${directory}/ballast`);
    using state = new State(`${directory}/portsnare.db`, clock);
    state.saveBans([ban("10.0.0.1", clock)]);
    assert.equal(state.health.ok, false);
    assert.equal(state.size, 1);
    Deno.removeSync(`${directory}/ballast`);
    clock.pass(61);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    assert.equal(state.find(prefix("10.0.0.1").address).length, 1);
  });
});

Deno.test("State begun on a disk that fills up on the way says so, wherever that happens", async () => {
  await mounted("size=1m", (directory) => {
    const path = `${directory}/portsnare.db`;
    const kinds = new Set<string>();
    for (let pages = 1; pages <= 40; pages++) {
      fill(`${directory}/ballast`);
      Deno.truncateSync(`${directory}/ballast`, Deno.statSync(`${directory}/ballast`).size - pages * 4096);
      {
        using state = new State(path, new FakeClock());
        kinds.add(state.health.ok ? "ok" : `${state.health.kind}: ${state.health.message}`);
      }
      for (const suffix of ["", "-wal", "-shm"]) {
        if (existsSync(path + suffix)) Deno.removeSync(path + suffix);
      }
      Deno.removeSync(`${directory}/ballast`);
    }
    assert.ok(kinds.size >= 2 && kinds.has("ok"), [...kinds].join());
    // SQLite has no better word for an index of the journal that does not fit.
    for (const kind of kinds) assert.match(kind, /^ok$|^full: |disk I\/O error$/);
  });
});

Deno.test("State on a read-only file system knows the bans that were there, and writes when it may again", async () => {
  await mounted("size=2m", async (directory) => {
    const clock = new FakeClock();
    const path = `${directory}/portsnare.db`;
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock)]);
    }
    assert.equal((await run(["mount", "-o", "remount,ro", directory])).code, 0);
    using state = new State(path, clock);
    assert.equal(state.health.ok, false);
    assert.equal(state.get(prefix("10.0.0.1"))?.secondsLeft, 3600);
    state.saveBans([ban("10.0.0.2", clock)]);
    state.saveReleases([{ target: prefix("10.0.0.1"), time: clock.now(), cause: "unblocked", outcomes: [] }]);
    assert.equal(state.size, 1);
    assert.equal((await run(["mount", "-o", "remount,rw", directory])).code, 0);
    clock.pass(61);
    state.tick();
    assert.deepEqual(state.health, { ok: true });
    state[Symbol.dispose]();
    using again = new State(path, clock);
    assert.deepEqual([again.size, again.get(prefix("10.0.0.2"))?.secondsLeft], [1, 3539]);
  });
});

Deno.test("AppendFile on a full disk returns the failure, keeps its lines whole and in order, and writes them later", async () => {
  await mounted("size=256k", (directory) => {
    const path = `${directory}/history`;
    using history = new AppendFile(path);
    assert.deepEqual(history.append(["before"]), { ok: true, waiting: false });
    fill(`${directory}/ballast`);
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
    const results = lines.map((line) => history.append([line]));
    assert.ok(results.some((result) => !result.ok && /No space left/.test(result.error)));
    Deno.removeSync(`${directory}/ballast`);
    assert.deepEqual(history.append(["after"]), { ok: true, waiting: false });
    assert.equal(Deno.readTextFileSync(path), `${["before", ...lines, "after"].join("\n")}\n`);
  });
});

Deno.test("State loads 100,000 bans with less than a second of processor time", async () => {
  await withDatabase((path) => {
    {
      using state = new State(path, systemClock);
      for (let batch = 0; batch < 40; batch++) {
        state.saveBans(Array.from({ length: 2500 }, (_, i) => {
          const number = batch * 2500 + i;
          return ban(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`, systemClock);
        }));
      }
    }
    // Wall time is other people's as well.
    const before = process.cpuUsage();
    using state = new State(path, systemClock);
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    assert.equal(state.size, 100_000);
    assert.ok(seconds < 1, `${seconds} s`);
  });
});
