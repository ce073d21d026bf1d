/**
 * hosts.deny as libwrap obeys it (tcpdmatch, Debian package tcpd), and under everything that can go wrong with a file.
 * @module
 */
import assert from "node:assert/strict";
import { parseAddress } from "../../src/net/address.ts";
import { formatPrefix } from "../../src/net/prefix.ts";
import type { Outcome } from "../../src/respond/backend.ts";
import { allowOverrides } from "../../src/respond/hosts_allow.ts";
import { HostsDeny } from "../../src/respond/hosts_deny.ts";
import { run } from "../lab/lab.ts";
import { prefix } from "../lab/addresses.ts";

const STOCK = "ALL: $TARGET$ : DENY";

async function ban(deny: HostsDeny, target: string, template = STOCK): Promise<Outcome> {
  return await deny.add(template, { target: prefix(target), port: 79, mode: "stcp" });
}

function errorOf(outcome: Outcome | undefined): string {
  return outcome === undefined || outcome.ok ? "" : outcome.error;
}

/** A directory with what libwrap reads; everything mounted below it is unmounted afterwards. */
class Etc implements AsyncDisposable {
  readonly directory: string;
  readonly #mounts: string[] = [];

  constructor() {
    this.directory = Deno.makeTempDirSync({ prefix: "portsnare-etc-" });
  }

  get deny(): string {
    return `${this.directory}/hosts.deny`;
  }

  async mount(args: readonly string[], where: string): Promise<void> {
    const result = await run(["mount", ...args, where]);
    assert.equal(result.code, 0, `mount needs root: ${result.stderr}`);
    if (!args.some((arg) => arg.includes("remount"))) this.#mounts.unshift(where);
  }

  /** What tcpd would do with a client. */
  async access(client: string): Promise<"granted" | "denied"> {
    if (await exists(`${this.directory}/hosts.allow`) === false) {
      await Deno.writeTextFile(`${this.directory}/hosts.allow`, "");
    }
    const script = 'cd "$1" && exec tcpdmatch -d sshd "$2"';
    const result = await run(["sh", "-c", script, "sh", this.directory, client]);
    const answer = /access:\s+(granted|denied)/.exec(result.stdout)?.[1];
    if (answer === "granted" || answer === "denied") return answer;
    throw new Error(`tcpdmatch (Debian package tcpd) said: ${result.stdout}${result.stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const where of this.#mounts) await run(["umount", where]);
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("C12, C11: libwrap obeys the lines, IPv4 and IPv6, and lets in again who was released", async () => {
  await using etc = new Etc();
  const deny = new HostsDeny(etc.deny);
  for (
    const [target, template, inside, outside] of [
      ["192.168.1.104", STOCK, "192.168.1.104", "192.168.1.10"],
      ["2001:db8::1", STOCK, "2001:db8::1", "2001:db8::10"],
      ["192.168.1.104", "ALL: $TARGET$", "192.168.1.104", "192.168.1.105"],
      ["2001:db8::1", "ALL: [$TARGET$]", "2001:db8::1", "2001:db8::2"],
      ["192.168.1.104", "ALL: $TARGET$ # Portsentry blocked", "192.168.1.104", "192.168.1.105"],
      ["2001:db8::1", "sshd: $TARGET$ : DENY", "2001:db8::1", "2001:db8::2"],
      ["10.9.0.0/16", STOCK, "10.9.255.1", "10.10.0.1"],
      ["2001:db8:5::/48", STOCK, "2001:db8:5::7", "2001:db8:6::7"],
    ] as const
  ) {
    assert.equal(await etc.access(inside), "granted", `control: ${inside} before`);
    assert.equal((await ban(deny, target, template)).ok, true);
    assert.equal(await etc.access(inside), "denied", `${inside} with ${template}`);
    assert.equal(await etc.access(outside), "granted", `${outside} with ${template}`);
    await deny.remove([prefix(target)]);
    assert.equal(await etc.access(inside), "granted", `${inside} after its release`);
  }
});

Deno.test("libwrap goes on obeying the administrator's own lines, whatever their last one looks like", async () => {
  for (
    const admin of ["sshd: 10.0.0.1", "sshd: 10.0.0.1 \\", "sshd: 10.0.0.1 \\\n", "sshd: 10.0.0.1\n\n\n", ""]
  ) {
    await using etc = new Etc();
    await Deno.writeTextFile(etc.deny, admin);
    const deny = new HostsDeny(etc.deny);
    await ban(deny, "192.0.2.1");
    await ban(deny, "2001:db8::1");
    for (const client of ["192.0.2.1", "2001:db8::1", ...(admin === "" ? [] : ["10.0.0.1"])]) {
      assert.equal(await etc.access(client), "denied", `${client} behind ${JSON.stringify(admin)}`);
    }
    assert.equal(await etc.access("192.0.2.2"), "granted");
    await deny.remove([prefix("192.0.2.1"), prefix("2001:db8::1")]);
    assert.equal((await Deno.readTextFile(etc.deny)).trimEnd(), admin.trimEnd());
  }
});

Deno.test("allowOverrides agrees with libwrap", async () => {
  const files = [
    "ALL: ALL",
    "sshd: 192.0.2.",
    "sshd: 192.0.2.0/255.255.255.0",
    "sshd: 192.0.2.0/24",
    "sshd: ALL EXCEPT 192.0.2.0/255.255.255.0 EXCEPT 192.0.2.7",
    "sshd: [2001:db8::]/32",
    "sshd: [2001:db8::7]",
    "sshd: 192.0.2.7 : DENY\nALL: ALL",
    "ALL: 192.0.2.7 : deny\nALL: ALL",
    "sshd: 10.0.0.1 \\\n 192.0.2.7",
    "# ALL: ALL",
    "sshd: 192.0.2.? 2001*",
    "sshd: LOCAL .example.org",
  ];
  for (const contents of files) {
    await using etc = new Etc();
    await Deno.writeTextFile(etc.deny, "ALL: ALL\n");
    await Deno.writeTextFile(`${etc.directory}/hosts.allow`, `${contents}\n`);
    for (const client of ["192.0.2.7", "192.0.2.77", "198.51.100.1", "2001:db8::7", "2001:db9::7"]) {
      const [first] = allowOverrides(contents, parseAddress(client));
      // The second line lets everybody in whom the first did not refuse for sshd.
      const refused = contents.startsWith("sshd: 192.0.2.7 : DENY") && client === "192.0.2.7";
      const expected = first === undefined || refused ? "denied" : "granted";
      assert.equal(await etc.access(client), expected, `${JSON.stringify(contents)} ${client}`);
    }
  }
});

Deno.test("hosts.deny on a full disk: the ban fails honestly, nothing is lost, a release still works", async () => {
  await using etc = new Etc();
  await etc.mount(["-t", "tmpfs", "-o", "size=4k", "none"], etc.directory);
  const deny = new HostsDeny(etc.deny);
  const admin = `# ${"x".repeat(3985)}\nsshd: 10.0.0.1\n`;
  await Deno.writeTextFile(etc.deny, admin);
  assert.equal((await ban(deny, "192.0.2.1")).ok, true, "there is room for one");
  const full = await Deno.readTextFile(etc.deny);
  for (const target of ["192.0.2.2", "2001:db8::2"]) {
    assert.match(errorOf(await ban(deny, target)), /Cannot change .*hosts\.deny: No space left on device/);
    assert.equal(await Deno.readTextFile(etc.deny), full, "not even half a line was left behind");
  }
  const [released] = await deny.remove([prefix("192.0.2.1")]);
  assert.equal(released?.ok, true, errorOf(released));
  assert.equal(await Deno.readTextFile(etc.deny), admin);
});

Deno.test("hosts.deny on a full disk: a missing file is not made half", async () => {
  await using etc = new Etc();
  await etc.mount(["-t", "tmpfs", "-o", "size=4k", "none"], etc.directory);
  await Deno.writeTextFile(`${etc.directory}/filler`, "x".repeat(4096));
  assert.match(errorOf(await ban(new HostsDeny(etc.deny), "192.0.2.1")), /No space left/);
  assert.equal((await exists(etc.deny)) ? await Deno.readTextFile(etc.deny) : "", "");
});

Deno.test("hosts.deny read-only: ban and release fail honestly, nothing is lost", async () => {
  await using etc = new Etc();
  await etc.mount(["-t", "tmpfs", "none"], etc.directory);
  const deny = new HostsDeny(etc.deny);
  await ban(deny, "192.0.2.1");
  const before = await Deno.readTextFile(etc.deny);
  await etc.mount(["-o", "remount,ro"], etc.directory);
  assert.match(errorOf(await ban(deny, "192.0.2.2")), /Cannot change .*Read-only file system/);
  assert.match(errorOf((await deny.remove([prefix("192.0.2.1")]))[0]), /Read-only file system/);
  assert.equal(
    (await deny.remove([prefix("192.0.2.9")]))[0]?.ok,
    true,
    "who is not in it counts as released",
  );
  assert.equal(await Deno.readTextFile(etc.deny), before);
});

Deno.test("hosts.deny as the one writable file of a read-only /etc, as systemd's sandbox has it", async () => {
  await using etc = new Etc();
  await using elsewhere = new Etc();
  await etc.mount(["-t", "tmpfs", "none"], etc.directory);
  await Deno.writeTextFile(etc.deny, "");
  await Deno.writeTextFile(elsewhere.deny, "sshd: 10.0.0.1\n");
  await etc.mount(["--bind", elsewhere.deny], etc.deny);
  await etc.mount(["-o", "remount,ro"], etc.directory);
  const deny = new HostsDeny(etc.deny);
  assert.deepEqual((await ban(deny, "192.0.2.1")).ok, true);
  assert.match(await Deno.readTextFile(elsewhere.deny), /^ALL: 192\.0\.2\.1 : DENY$/m);
  assert.equal((await deny.remove([prefix("192.0.2.1")]))[0]?.ok, true);
  assert.equal(await Deno.readTextFile(elsewhere.deny), "sshd: 10.0.0.1\n");
});

Deno.test("hosts.deny with other writers at work: no line of theirs is lost, torn or doubled", async () => {
  await using etc = new Etc();
  await Deno.writeTextFile(etc.deny, "# start\n");
  const writers = ["a", "b", "c"].map((name) =>
    run(["sh", "-c", `for n in $(seq 400); do echo "sshd: ${name}.$n" >> "$1"; done`, "sh", etc.deny])
  );
  const responders = [new HostsDeny(etc.deny), new HostsDeny(etc.deny)];
  let done = false;
  const ours = Promise.all(responders.map(async (deny, index) => {
    for (let n = 0; !done || n < 50; n++) {
      const target = `198.18.${index}.${n & 63}`;
      const added = await ban(deny, target);
      assert.equal(added.ok, true, errorOf(added));
      const [removed] = await deny.remove([prefix(target)]);
      assert.equal(removed?.ok, true, errorOf(removed));
    }
  }));
  const results = await Promise.all(writers);
  done = true;
  await ours;
  assert.ok(results.every((result) => result.code === 0));
  const lines = (await Deno.readTextFile(etc.deny)).split("\n").filter((line) => line !== "");
  const expected = ["a", "b", "c"].flatMap((name) =>
    Array.from({ length: 400 }, (_, n) => `sshd: ${name}.${n + 1}`)
  );
  assert.deepEqual(lines.slice(1).sort(), expected.sort());
  assert.deepEqual(new HostsDeny(etc.deny).targets().map(formatPrefix), []);
});

Deno.test("hosts.deny with ten thousand bans at once, made and released", async () => {
  await using etc = new Etc();
  const deny = new HostsDeny(etc.deny);
  const targets = Array.from({ length: 10_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  const outcomes = await Promise.all(targets.map((target) => ban(deny, target)));
  assert.ok(outcomes.every((outcome) => outcome.ok));
  assert.equal(deny.targets().length, 10_000);
  assert.equal(await etc.access("10.0.39.15"), "denied");
  await deny.remove(targets.map(prefix));
  assert.equal(await Deno.readTextFile(etc.deny), "");
});
