import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { formatPrefix } from "../../../src/net/prefix.ts";
import type { Outcome } from "../../../src/respond/backend.ts";
import { HostsDeny } from "../../../src/respond/hosts_deny.ts";
import { prefix } from "../../lab/addresses.ts";

const STOCK = "ALL: $TARGET$ : DENY";

function values(target: string) {
  return { target: prefix(target), port: 1, mode: "tcp" } as const;
}

function errorOf(outcome: Outcome | undefined): string {
  return outcome === undefined || outcome.ok ? "" : outcome.error;
}

async function inDirectory(body: (path: string, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-deny-" });
  try {
    await body(`${directory}/hosts.deny`, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("HostsDeny.add makes a missing file that everybody can read", async () => {
  await inDirectory(async (path) => {
    const outcome = await new HostsDeny(path).add(STOCK, values("192.168.1.104"));
    assert.deepEqual(outcome, { ok: true, action: "kill_hosts_deny", detail: "ALL: 192.168.1.104 : DENY" });
    assert.match(await Deno.readTextFile(path), /^ALL: 192\.168\.1\.104 : DENY$/m);
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o644);
  });
});

Deno.test("HostsDeny keeps the mode, the inode and every byte of the administrator's", async () => {
  await inDirectory(async (path) => {
    const admin = Buffer.from("# f\xfcr uns\n\0\xff\xfe sshd: 10.0.0.1\r\nlast", "latin1");
    await Deno.writeFile(path, admin, { mode: 0o640 });
    const before = await Deno.stat(path);
    const deny = new HostsDeny(path);
    await deny.add("ALL: $TARGET$ # gesperrt für immer", values("192.0.2.1"));
    assert.ok(Buffer.from(await Deno.readFile(path)).subarray(0, admin.length).equals(admin));
    assert.match(await Deno.readTextFile(path), /^ALL: 192\.0\.2\.1 # gesperrt für immer$/m);
    await deny.remove([prefix("192.0.2.1")]);
    const after = await Deno.stat(path);
    assert.deepEqual([after.ino, after.mode], [before.ino, before.mode]);
    assert.ok(Buffer.from(await Deno.readFile(path)).equals(Buffer.concat([admin, Buffer.from("\n")])));
  });
});

Deno.test("F7: HostsDeny writes one line for many bans of one address, also after a restart", async () => {
  await inDirectory(async (path) => {
    const outcomes = await Promise.all(
      [new HostsDeny(path), new HostsDeny(path)].flatMap((deny) => [
        deny.add(STOCK, values("192.0.2.1")),
        deny.add(STOCK, values("192.0.2.1")),
      ]),
    );
    assert.ok(outcomes.every((outcome) => outcome.ok));
    assert.equal((await Deno.readTextFile(path)).match(/^ALL: 192\.0\.2\.1 : DENY$/gm)?.length, 1);
  });
});

Deno.test("HostsDeny carries out a ban, its release and a ban again in that order", async () => {
  await inDirectory(async (path) => {
    const deny = new HostsDeny(path);
    const targets = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
    await Promise.all([
      ...targets.map((target) => deny.add(STOCK, values(target))),
      deny.remove(targets.map(prefix)),
      deny.add(STOCK, values("192.0.2.2")),
    ]);
    assert.deepEqual(deny.targets().map(formatPrefix), ["192.0.2.2"]);
  });
});

Deno.test("HostsDeny.remove counts what is not there as removed and does not make the file for it", async () => {
  await inDirectory(async (path) => {
    const [outcome] = await new HostsDeny(path).remove([prefix("192.0.2.1")]);
    assert.equal(outcome?.ok, true);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
    assert.deepEqual(new HostsDeny(path).targets(), []);
  });
});

Deno.test("HostsDeny.add refuses a template without target and a line that libwrap would not obey", async () => {
  await inDirectory(async (path) => {
    const deny = new HostsDeny(path);
    for (
      const [template, error] of [
        ["ALL: ALL", "No target variable specified in KILL_HOSTS_DENY option. Skipping."],
        ["ALL: $TARGET$ \\", "The line ends with a backslash"],
        ["# ALL: $TARGET$", "The line is a comment"],
      ] as const
    ) assert.equal(errorOf(await deny.add(template, values("192.0.2.1"))), error);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("F1: HostsDeny says what is wrong with a file that is none, and touches nothing", async () => {
  await inDirectory(async (path, directory) => {
    const deny = new HostsDeny(path);
    await Deno.mkdir(path);
    assert.match(
      errorOf(await deny.add(STOCK, values("192.0.2.1"))),
      /Cannot change .*hosts\.deny: it is a directory/,
    );
    assert.match(errorOf((await deny.remove([prefix("192.0.2.1")]))[0]), /it is a directory/);
    await Deno.remove(path);
    await Deno.writeTextFile(`${directory}/shadow`, "precious\n");
    await Deno.symlink(`${directory}/shadow`, path);
    assert.match(errorOf(await deny.add(STOCK, values("192.0.2.1"))), /symbolic link/);
    assert.equal(await Deno.readTextFile(`${directory}/shadow`), "precious\n");
    const elsewhere = new HostsDeny(`${directory}/missing/hosts.deny`);
    assert.match(errorOf(await elsewhere.add(STOCK, values("192.0.2.1"))), /Cannot change .*No such file/);
  });
});

Deno.test("HostsDeny writes to an empty file", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(path, "");
    assert.equal((await new HostsDeny(path).add(STOCK, values("192.0.2.1"))).ok, true);
    assert.equal(await Deno.readTextFile(path), "# Banned by portsnare: 192.0.2.1\nALL: 192.0.2.1 : DENY\n");
  });
});
