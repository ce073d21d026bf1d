/**
 * Ignore files that change under the running daemon, into good ones and into garbage: what can be understood counts
 * without a restart, the rest is told, and detection goes on.
 */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

interface Scene {
  readonly target: Host;
  readonly friend: Host;
  readonly lab: Lab;
  readonly daemon: Daemon;
  /** The ignore file. */
  readonly path: string;
}

/** A daemon that observes with an ignore file that `contents` makes; the friend is 10.77.0.2 and fd77::2. */
async function scene(
  contents: string | ((path: string) => Promise<void>),
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using lab = await Lab.create();
  const [target, friend] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-ignore-" });
  const path = `${directory}/portsentry.ignore`;
  try {
    if (typeof contents === "string") await Deno.writeTextFile(path, contents);
    else await contents(path);
    await using daemon = await Daemon.start(target, {
      config: { ignore: { files: [path] }, detect: { scan_trigger: 0 } },
    });
    await body({ lab, target, friend, daemon, path });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function exempt(s: Scene, address = s.friend.ipv4): Promise<boolean> {
  const { code, stdout, stderr } = await s.daemon.cli("why", address, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).exempt !== null;
}

async function becomes(s: Scene, expected: boolean, seconds = 10): Promise<void> {
  await until(
    `the friend is ${expected ? "" : "not "}ignored`,
    async () => await exempt(s) === expected,
    seconds,
  );
}

/** Whether a scan by the friend is reported; a stranger who scans afterwards always must be. */
async function isReported(s: Scene): Promise<boolean> {
  const before = s.daemon.about(s.friend.ipv4, "probe").filter(isLoud).length;
  const stranger = await s.lab.host();
  await s.friend.out(["nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "21-23", s.target.ipv4]);
  await stranger.out(["nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "21", s.target.ipv4]);
  await s.daemon.line("the stranger is told of", (line) => line["source"] === stranger.ipv4);
  return s.daemon.about(s.friend.ipv4, "probe").filter(isLoud).length > before;
}

function isLoud(line: Readonly<Record<string, unknown>>): boolean {
  return line["verdict"] !== "ignored";
}

function garbage(bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) {
    crypto.getRandomValues(all.subarray(at, Math.min(at + 65536, bytes)));
  }
  return all;
}

Deno.test("C14 F4: a line that is added without a final newline counts at once, and not any more when it is removed", async () => {
  await scene("# nobody yet\n", async (s) => {
    assert.equal(await isReported(s), true);
    await Deno.writeTextFile(s.path, "  10.77.0.2", { append: true });
    await becomes(s, true);
    assert.equal(await isReported(s), false);
    await Deno.writeTextFile(s.path, "# nobody again\n");
    await becomes(s, false);
    assert.equal(await isReported(s), true);
  });
});

Deno.test("C14 F4: an editor that renames a new file over the old one is followed, IPv6 and dotted masks as well", async () => {
  await scene("", async (s) => {
    await Deno.writeTextFile(`${s.path}.new`, "10.77.0.99/255.255.255.0\r\nfd77::/64 # all of us\n");
    await Deno.rename(`${s.path}.new`, s.path);
    await becomes(s, true);
    assert.equal(await exempt(s, s.friend.ipv6), true);
    assert.equal(await exempt(s, "10.77.1.2"), false);
    await Deno.remove(s.path);
    await becomes(s, false);
    await Deno.writeTextFile(s.path, "10.77.0.0/24\n");
    await becomes(s, true);
  });
});

Deno.test("C14: binary garbage costs the lines that it hits, and neither the others nor the daemon", async () => {
  await scene("", async (s) => {
    const noise = garbage(2_000_000);
    const line = new TextEncoder().encode("\n10.77.0.2\n");
    await Deno.writeFile(s.path, Uint8Array.of(...noise.subarray(0, 60_000), ...line));
    await Deno.writeFile(s.path, noise, { append: true });
    await becomes(s, true);
    assert.equal(await isReported(s), false);
    await s.daemon.line(
      "the lines that do nothing are told",
      (line) => /ignore:\d+:\d+: this line does nothing: /.test(String(line["message"])),
    );
    const logged = JSON.stringify(s.daemon.log);
    // deno-lint-ignore no-control-regex -- that none gets through is the point
    assert.doesNotMatch(logged, /[\x00-\x1f]/);
    assert.ok(s.daemon.log.length < 1000, "garbage must not become a log full of it");
  });
});

Deno.test("C14: a file of a million lines is bounded, and the daemon goes on seeing while it is read", async () => {
  await scene("", async (s) => {
    const lines = ["10.77.0.2"];
    for (let i = 0; i < 1_000_000; i++) lines.push(`${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.1`);
    await Deno.writeTextFile(s.path, `${lines.join("\n")}\n`);
    const stranger = await s.lab.host();
    await stranger.out(["nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "21", s.target.ipv4]);
    await s.daemon.line("the stranger is told of", (line) => line["source"] === stranger.ipv4);
    await becomes(s, true, 60);
    assert.equal(await isReported(s), false);
    await s.daemon.line(
      "the bound is told",
      (line) => String(line["message"]).includes("only the first 65536 addresses and prefixes are used"),
    );
    assert.deepEqual(s.daemon.notices().filter((line) => line.includes("ENOBUFS")), []);
    const set = await s.target.out(["sh", "-c", "nft list set inet portsnare ignored4 | grep -c '\\.1'"]);
    assert.ok(Number(set) > 10_000, `${set} lines of nft's list`);
    const status = await Deno.readTextFile(`/proc/${s.daemon.process.pid}/status`);
    const resident = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
    assert.ok(resident < 600_000, `${resident} kB`);
  });
});

const NO_FILES: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "a pipe that nobody writes into": async (path) => {
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.ok(success);
  },
  "a directory": (path) => Deno.mkdir(path),
  "a device that never ends": (path) => Deno.symlink("/dev/zero", path),
  "a link to nothing": (path) => Deno.symlink("/nowhere", path),
  "a link to itself": (path) => Deno.symlink(path, path),
};

for (const [what, make] of Object.entries(NO_FILES)) {
  Deno.test(`C14: ${what} in place of the ignore file is told, and the daemon does without`, async () => {
    await scene(make, async (s) => {
      await s.daemon.line(
        "it is told",
        (line) => line["level"] === "warning" && String(line["message"]).includes(s.path),
      );
      assert.equal(await isReported(s), true);
      await Deno.remove(s.path, { recursive: true });
      await Deno.writeTextFile(s.path, "10.77.0.2\n");
      await becomes(s, true, 40);
    });
  });
}

Deno.test("C14: a directory in place of a good ignore file leaves its entries in force, and is told once", async () => {
  await scene("10.77.0.2\n", async (s) => {
    await becomes(s, true);
    await Deno.remove(s.path);
    await Deno.mkdir(s.path);
    const complaints = (): readonly string[] =>
      s.daemon.notices().filter((line) =>
        line.includes("is a directory; its last good entry stays in force")
      );
    await until("it is told", () => complaints().length > 0);
    assert.equal(await isReported(s), false);
    assert.equal(complaints().length, 1);
    assert.equal((await s.daemon.cli("reload")).code, 0);
    assert.equal(await exempt(s), true, "after a reload");
    await Deno.remove(s.path);
    await Deno.writeTextFile(s.path, "10.77.0.77\n");
    await becomes(s, false);
    assert.equal(await exempt(s, "10.77.0.77"), true);
  });
});
