/**
 * A daemon whose files fail it: detection and banning go on, what is lost is said, and it recovers by itself.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, run, until } from "../lab/lab.ts";
import { bannedByDaemon } from "../lab/siege.ts";

const CONFIG = {
  tcp: { response: "block" },
  block: { duration: "1h" },
  actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" },
};

interface Scene {
  readonly target: Host;
  readonly scanners: readonly Host[];
  /** A small file system of its own, for the daemon's files. */
  readonly directory: string;
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  await using lab = await Lab.create();
  const target = await lab.host();
  const scanners = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  const mount = await run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", directory]);
  assert.equal(mount.code, 0, `mount: ${mount.stderr} (this test needs root)`);
  try {
    await body({ target, scanners, directory });
  } finally {
    await run(["umount", "-l", directory]);
    await Deno.remove(directory);
  }
}

function fill(directory: string): void {
  using file = Deno.openSync(`${directory}/ballast`, { write: true, create: true });
  const block = new Uint8Array(4096);
  assert.throws(() => {
    for (let i = 0; i < 100_000; i++) file.writeSync(block);
  }, /os error 28/);
}

/** Let the last page of a file be full, for what fits into it needs no room. */
async function pad(path: string): Promise<void> {
  const { size } = await Deno.stat(path);
  await Deno.writeTextFile(path, `${"#".repeat(4095 - size % 4096)}\n`, { append: true });
}

/** Let the file system be written, or not. A daemon in a namespace has mounts of its own, copied at its start. */
async function remount(directory: string, mode: "ro" | "rw", daemon?: Daemon): Promise<void> {
  const there = daemon === undefined ? [] : ["nsenter", "-t", String(daemon.process.pid), "-m"];
  for (const where of [[], there]) {
    const result = await run([...where, "mount", "-o", `remount,${mode}`, directory]);
    assert.equal(result.code, 0, result.stderr);
  }
}

async function scan(scanner: Host, target: Host): Promise<void> {
  await scanner.run(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sS", "-p", "20-40", target.ipv4]);
}

/** Scan, and wait until the daemon has banned for it. */
async function caught(daemon: Daemon, scanner: Host, target: Host): Promise<void> {
  await scan(scanner, target);
  await daemon.line(
    `the ban of ${scanner.ipv4}`,
    (line) => line["type"] === "block" && line["source"] === scanner.ipv4,
  );
}

async function isBanned(host: Host, address: string): Promise<boolean> {
  const get = await host.run(["nft", "get", "element", "inet", "portsnare", "banned4", `{ ${address} }`]);
  return get.code === 0;
}

async function notice(daemon: Daemon, pattern: RegExp, seconds = 15): Promise<void> {
  await daemon.line(
    String(pattern),
    (line) => line["type"] === "notice" && pattern.test(String(line["message"])),
    seconds,
  );
}

async function stateText(daemon: Daemon): Promise<string> {
  return (await daemon.cli("status")).stdout.split("\n").filter((line) => /^state: |^ {2}/.test(line)).join(
    " ",
  );
}

/** What a later daemon would know. */
function stored(directory: string): readonly string[] {
  using database = new DatabaseSync(`${directory}/state.db`, { readOnly: true });
  return database.prepare("SELECT target FROM bans WHERE ended IS NULL ORDER BY target").all()
    .map((row) => String(row["target"]));
}

Deno.test("a full disk: scanners are caught and banned, what is lost is said, and everything is written once there is room", async () => {
  await scene(async ({ target, scanners: [early, late], directory }) => {
    assert.ok(early && late);
    const daemon = await Daemon.start(target, { config: CONFIG, directory });
    await caught(daemon, early, target);
    await pad(`${directory}/history`);
    await pad(`${directory}/hosts.deny`);
    fill(directory);
    await caught(daemon, late, target);
    assert.ok(await isBanned(target, late.ipv4));
    await notice(daemon, /Cannot use the state database .*full.*kept in memory only/);
    await notice(daemon, /Cannot append to .*history.*fail2ban is not told/);
    const block = await daemon.line(
      "the ban",
      (line) => line["type"] === "block" && line["source"] === late.ipv4,
    );
    assert.match(JSON.stringify(block["outcomes"]), /kill_hosts_deny.*No space left/);
    assert.match(await stateText(daemon), /NOT KEPT: .*wait/);
    const deny = await Deno.readTextFile(`${directory}/hosts.deny`);
    assert.match(deny, new RegExp(`^ALL: ${early.ipv4} : DENY$`, "m"), "what was there must be whole");
    await Deno.remove(`${directory}/ballast`);
    await notice(daemon, /is written again/, 70);
    await notice(daemon, /history file can be written again/);
    assert.deepEqual(stored(directory), [early.ipv4, late.ipv4].sort());
    const lines = (await daemon.history()).split("\n");
    for (const source of [early, late]) {
      assert.equal(lines.filter((line) => line.includes(`/${source.ipv4} `)).length, 1, lines.join("\n"));
    }
    assert.match(await stateText(daemon), /state: kept/);
    await daemon.stop("SIGKILL");
    await using again = await Daemon.start(target, { config: CONFIG, directory });
    assert.deepEqual(await bannedByDaemon(again), [early.ipv4, late.ipv4].sort());
    assert.equal(await again.stop(), 0);
  });
});

const BROKEN: readonly (readonly [string, (directory: string) => void | Promise<void>, RegExp])[] = [
  [
    "corrupt",
    (directory) => Deno.writeTextFile(`${directory}/state.db`, "no database at all ".repeat(100)),
    /corrupt state database is kept as .*corrupt-\d+; a new one is begun/,
  ],
  ["a directory", (directory) => Deno.mkdir(`${directory}/state.db`), /Cannot use the state database/],
  ["of a later release", (directory) => {
    using database = new DatabaseSync(`${directory}/state.db`);
    database.exec("PRAGMA user_version = 99");
  }, /made by a later release \(schema 99/],
];

for (const [what, breakIt, says] of BROKEN) {
  Deno.test(`a state database that is ${what} at the start: said, and scanners are caught`, async () => {
    await scene(async ({ target, scanners: [scanner], directory }) => {
      assert.ok(scanner);
      await breakIt(directory);
      const daemon = await Daemon.start(target, { config: CONFIG, directory });
      await notice(daemon, says);
      await caught(daemon, scanner, target);
      assert.ok(await isBanned(target, scanner.ipv4));
      assert.equal((await daemon.cli("list", "--json")).stdout.split("\n").length, 2);
      assert.equal(await daemon.stop(), 0);
    });
  });
}

Deno.test("a state database that is removed, corrupted or locked under the daemon is written again, with all its bans", async () => {
  await scene(async ({ target, scanners: [early, late], directory }) => {
    assert.ok(early && late);
    const daemon = await Daemon.start(target, { config: CONFIG, directory });
    await caught(daemon, early, target);
    for (const suffix of ["", "-wal", "-shm"]) await Deno.remove(`${directory}/state.db${suffix}`);
    await notice(daemon, /was removed or replaced; it is written anew/);
    await until("it is there again", () => {
      try {
        return stored(directory).includes(early.ipv4);
      } catch {
        return false;
      }
    });
    {
      using other = new DatabaseSync(`${directory}/state.db`);
      other.exec("BEGIN EXCLUSIVE");
      await caught(daemon, late, target);
      await notice(daemon, /Cannot use the state database .*locked/);
      assert.ok(await isBanned(target, late.ipv4));
      other.exec("ROLLBACK");
    }
    await notice(daemon, /is written again/, 70);
    assert.deepEqual(stored(directory), [early.ipv4, late.ipv4].sort());
    assert.equal(await daemon.stop(), 0);
  });
});

Deno.test("a read-only file system: bans of before are known, new ones are made, and all is kept once it can be written", async () => {
  await scene(async ({ target, scanners: [early, late], directory }) => {
    assert.ok(early && late);
    const first = await Daemon.start(target, { config: CONFIG, directory });
    await caught(first, early, target);
    await first.stop();
    await target.out(["nft", "flush", "ruleset"]);
    await remount(directory, "ro");
    const daemon = await startReadOnly(target, directory);
    await notice(daemon, /Cannot use the state database .*in memory only/);
    assert.ok(await isBanned(target, early.ipv4), "the file can still be read");
    await caught(daemon, late, target);
    assert.ok(await isBanned(target, late.ipv4));
    await remount(directory, "rw", daemon);
    await notice(daemon, /is written again/, 70);
    assert.deepEqual(stored(directory), [early.ipv4, late.ipv4].sort());
    assert.equal(await daemon.stop(), 0);
    await Deno.remove(daemon.directory, { recursive: true });
  });
});

/** The lab writes the configuration at each start, which cannot be done here: the daemon takes the one that is there. */
async function startReadOnly(target: Host, directory: string): Promise<Daemon> {
  const elsewhere = await Deno.makeTempDir({ prefix: "portsnare-" });
  const files = {
    history: `${directory}/history`,
    state: `${directory}/state.db`,
    hosts_deny: `${directory}/hosts.deny`,
  };
  return await Daemon.start(target, { config: { ...CONFIG, files }, directory: elsewhere });
}
