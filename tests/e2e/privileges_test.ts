/** What the daemon may do, and whom it lets near its files. @module */
import assert from "node:assert/strict";
import { capabilitiesIn, NEEDED } from "../../src/system/confine.ts";
import { Daemon } from "../lab/daemon.ts";
import { DENO } from "../lab/deno.ts";
import { Lab, run, until } from "../lab/lab.ts";
import { AS_NOBODY, programIn } from "../lab/nobody.ts";
import { banOf, scan } from "../lab/siege.ts";

const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/** What /proc says of every thread of a process. */
async function threads(pid: number): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    all.push(await Deno.readTextFile(`/proc/${pid}/task/${name}/status`));
  }
  return all;
}

Deno.test("every thread of the daemon has the capabilities that it needs, no other, and no way to more", async () => {
  await using lab = await Lab.create();
  await using daemon = await Daemon.start(await lab.host());
  const all = await threads(daemon.process.pid);
  assert.ok(all.length > 2, "the runtime has several threads");
  for (const status of all) {
    for (const set of ["CapEff", "CapPrm", "CapBnd"]) {
      assert.deepEqual(capabilitiesIn(status, set), [...NEEDED], set);
    }
    for (const set of ["CapInh", "CapAmb"]) assert.deepEqual(capabilitiesIn(status, set), [], set);
    assert.match(status, /^NoNewPrivs:\t1$/m);
  }
});

Deno.test("the confined daemon bans, reloads into mode connect on a low port, and leaves with 0", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const scanner = await lab.host();
  await using daemon = await Daemon.start(target, { config: { tcp: { response: "block" } } });
  await scanner.run(["nmap", "-n", "-Pn", "-sS", "-p1-50", "--max-retries", "0", target.ipv4], {
    seconds: 60,
  });
  await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === scanner.ipv4);
  const config = `${daemon.directory}/config.toml`;
  const text = await Deno.readTextFile(config);
  await Deno.writeTextFile(config, text.replace("[tcp]", '[tcp]\nmode = "connect"\nports = [23]'));
  assert.equal((await daemon.cli("reload")).code, 0);
  await until("port 23 is bound", async () => (await target.out(["ss", "-Hltn"])).includes(":23 "));
  assert.equal(await daemon.stop(), 0);
});

Deno.test("commands of the administrator have all of root's powers, as under PortSentry", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const scanner = await lab.host();
  const out = await Deno.makeTempFile();
  await using daemon = await Daemon.start(target, {
    config: { tcp: { response: "command" }, actions: { kill_run_cmd: `cat /proc/self/status >${out}` } },
  });
  await scanner.run(["nmap", "-n", "-Pn", "-sS", "-p1-50", "--max-retries", "0", target.ipv4], {
    seconds: 60,
  });
  const status = await until("the command has run", async () => {
    const text = await Deno.readTextFile(out);
    return text.includes("CapBnd") ? text : undefined;
  });
  const own = await Deno.readTextFile("/proc/self/status");
  assert.deepEqual(capabilitiesIn(status, "CapEff"), capabilitiesIn(own, "CapEff"));
  assert.match(status, /^NoNewPrivs:\t0$/m);
  assert.deepEqual(daemon.notices().filter((line) => line.includes("root's powers")), []);
  await Deno.remove(out);
});

Deno.test("commands that a reload brings into a confined daemon are limited, and the log says so", async () => {
  await using lab = await Lab.create();
  await using daemon = await Daemon.start(await lab.host());
  const config = `${daemon.directory}/config.toml`;
  await Deno.writeTextFile(config, `${await Deno.readTextFile(config)}[actions]\nkill_run_cmd = "true"\n`);
  assert.equal((await daemon.cli("reload")).code, 0);
  await until("it says so", () => daemon.notices().some((line) => line.includes("Commands (kill_run_cmd)")));
});

Deno.test("what the daemon makes is its own: 0600, and 0640 for what fail2ban reads", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const scanner = await lab.host();
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/config.toml`, "", { mode: 0o644 });
  // The loosest umask that a shell could have had.
  const before = Deno.umask(0);
  try {
    await using daemon = await Daemon.start(target, {
      directory,
      config: {
        tcp: { response: "block" },
        files: { blocked: `${directory}/blocked` },
        actions: { kill_hosts_deny: "ALL: $TARGET$" },
      },
    });
    await scanner.run(["nmap", "-n", "-Pn", "-sS", "-p1-50", "--max-retries", "0", target.ipv4], {
      seconds: 60,
    });
    await daemon.line("the ban", (line) => line["type"] === "block");
    await until("the list is written", () => Deno.stat(`${directory}/blocked`).then(() => true, () => false));
    const modes: Record<string, string> = {};
    for await (const { name } of Deno.readDir(directory)) {
      if (name === "config.toml") continue;
      modes[name] = (((await Deno.lstat(`${directory}/${name}`)).mode ?? 0) & 0o777).toString(8);
    }
    const { "state.db-shm": _shm, ...rest } = modes;
    assert.deepEqual(rest, {
      "blocked": "640",
      "control.sock": "600",
      "history": "640",
      // libwrap reads it as whoever the service runs as.
      "hosts.deny": "644",
      "state.db": "600",
      "state.db-wal": "600",
    });
    assert.equal(modes["state.db-shm"], "600");
  } finally {
    Deno.umask(before);
  }
});

/** Replaces a file in a process that has given up what the daemon gives up; prints why it could not. */
const REPLACE = `
import { replaceFile } from ${JSON.stringify(import.meta.resolve("../../src/system/atomic_file.ts"))};
try {
  replaceFile(Deno.args[0], "new", { mode: 0o600 });
} catch (error) {
  console.log(error.message);
}`;

Deno.test("without CAP_CHOWN a file that is replaced keeps mode and owner, or stays as it is and it is said why", async () => {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-chown-" });
  const [path, script] = [`${directory}/list`, `${directory}/replace.ts`];
  try {
    await Deno.writeTextFile(script, REPLACE);
    const confined = ["setpriv", "--bounding-set", "-chown", "--inh-caps", "-chown"];
    const rows: readonly (readonly [uid: number, gid: number, groups: string, said: RegExp])[] = [
      [0, 0, "--clear-groups", /^$/],
      [0, 4, "--groups=4", /^$/],
      [0, 4, "--clear-groups", /Cannot write .*list: it belongs to user 0 and group 4.*remove it$/],
      [65534, 65534, "--clear-groups", /it belongs to user 65534 and group 65534/],
    ];
    for (const [uid, gid, groups, said] of rows) {
      await Deno.writeTextFile(path, "old");
      await Deno.chmod(path, 0o664);
      await Deno.chown(path, uid, gid);
      const result = await run([...confined, groups, DENO, "run", "-A", "--cached-only", script, path]);
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout.trim(), said);
      const after = await Deno.stat(path);
      assert.deepEqual([after.uid, after.gid, (after.mode ?? 0) & 0o777], [uid, gid, 0o664]);
      assert.equal(await Deno.readTextFile(path), said.source === "^$" ? "new" : "old");
      assert.deepEqual(Array.from(Deno.readDirSync(directory), ({ name }) => name).toSorted(), [
        "list",
        "replace.ts",
      ]);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a list of blocked hosts that the confined daemon may not replace: bans are made, and it is said once what to do", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir();
  const path = `${directory}/blocked`;
  await Deno.writeTextFile(path, "what was there\n");
  await Deno.chown(path, 0, 4);
  await using daemon = await Daemon.start(target, {
    directory,
    config: { tcp: { response: "block" }, files: { blocked: path } },
  });
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  const said = () => daemon.notices().filter((line) => line.includes("it belongs to user 0 and group 4"));
  await until("it is said", () => said().length > 0);
  assert.equal(await Deno.readTextFile(path), "what was there\n");
  await Deno.chown(path, 0, 0);
  await until("it is written", async () => (await Deno.readTextFile(path)).includes(`/${scanner.ipv4} `));
  assert.equal(said().length, 1);
});

/** How a place can be in the hands of others, and what must be said of it. */
const SHARED: readonly (readonly [string, (directory: string) => Promise<string>, RegExp])[] = [
  ["a directory that everybody can write to", async (directory) => {
    await Deno.chmod(directory, 0o777);
    return directory;
  }, /everybody can write/],
  ["/tmp itself, sticky as it is", () => Promise.resolve("/tmp"), /everybody can write to \/tmp/],
  ["a directory of another user", async (directory) => {
    await Deno.chown(directory, 65534, 65534);
    return directory;
  }, /belongs to user 65534/],
  ["a directory that a group can write to", async (directory) => {
    await Deno.chown(directory, 0, 4);
    await Deno.chmod(directory, 0o775);
    return directory;
  }, /group 4 can write/],
  ["a link that somebody else has made", async (directory) => {
    const link = `${directory}-link`;
    await run([...NOBODY, "ln", "-s", directory, link]);
    return link;
  }, /belongs to user 65534/],
];

for (const [what, make, message] of SHARED) {
  for (const key of ["state", "history", "blocked", "hosts_deny", "control_socket"]) {
    Deno.test(`F21: the daemon refuses to keep files.${key} in ${what}`, async () => {
      await using lab = await Lab.create();
      const directory = await Deno.makeTempDir();
      const place = await make(directory);
      try {
        await using daemon = await Daemon.launch(await lab.host(), {
          config: { files: { [key]: `${place}/portsnare-test-file` } },
        });
        assert.equal(await daemon.stop("SIGCONT"), 78);
        assert.match(daemon.said(), message);
        assert.match(daemon.said(), new RegExp(`config.toml:\\d+:\\d+: .*portsnare-test-file`));
        await assert.rejects(Deno.lstat(`${place}/portsnare-test-file`), Deno.errors.NotFound);
      } finally {
        if (place !== directory && place !== "/tmp") await Deno.remove(place);
        await Deno.remove(directory, { recursive: true });
      }
    });
  }
}

Deno.test("a configuration that others could write is refused: it names commands that root runs", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target);
  const config = `${daemon.directory}/config.toml`;
  await Deno.chmod(config, 0o666);
  const reload = await daemon.cli("reload");
  assert.equal(reload.code, 78, reload.stderr);
  assert.match(reload.stderr, /others could change this file/);
  await Deno.chmod(config, 0o644);
  await Deno.chown(config, 65534, 65534);
  assert.equal((await daemon.cli("check")).code, 78);
});

Deno.test("--help, check and replay need no privilege at all", async () => {
  const capture = new URL("../captures/nmap-syn.pcap", import.meta.url).pathname;
  const example = new URL("../../config.example.toml", import.meta.url).pathname;
  // Where somebody without rights may read: the sources may lie below a home directory.
  const place = await Deno.makeTempDir({ prefix: "portsnare-nobody-" });
  try {
    await Deno.chmod(place, 0o755);
    await Deno.copyFile(capture, `${place}/capture.pcap`);
    await Deno.copyFile(example, `${place}/config.toml`);
    const program = await programIn(place);
    const nobody = (...args: readonly string[]) => run([...AS_NOBODY, ...program, ...args]);
    const help = await nobody("--help");
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /replay/);
    const check = await nobody("check", "-c", `${place}/config.toml`);
    assert.ok([0, 69].includes(check.code), `${check.code}: ${check.stderr}`);
    assert.match(check.stdout, /tcp/);
    const replay = await nobody("replay", `${place}/capture.pcap`, "--local", "10.77.0.2", "--json");
    assert.equal(replay.code, 0, replay.stderr);
    assert.match(replay.stdout, /"type":"summary"/);
    const start = await nobody("run", "-c", `${place}/config.toml`);
    assert.ok([69, 77].includes(start.code), `${start.code}: ${start.stderr}`);
    assert.doesNotMatch(start.stderr, /internal error/);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});
