/**
 * kill -9 between every two steps of making and lifting a ban: after a restart state, kernel and files agree, no ban that
 * was told is lost, and none is left that was never told.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab } from "../lab/lab.ts";

const CONFIG = {
  tcp: { response: "block" },
  actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" },
};

interface Belief {
  /** Bans in the kernel. */
  readonly kernel: readonly string[];
  /** Bans in the state. */
  readonly state: readonly string[];
  /** Bans in hosts.deny. */
  readonly deny: readonly string[];
}

for (const point of ["ban-enforced", "ban-saved", "ban-told"]) {
  Deno.test(`kill -9 at ${point}: a ban is kept and told, or neither (F7)`, async () => {
    await using scene = await Scene.open();
    const { target, scanner } = scene;
    await using dying = await Daemon.start(target, { config: CONFIG, env: { PORTSNARE_FAULT: point } });
    await scan(scanner, target);
    assert.equal((await dying.process.status).signal, "SIGKILL");
    const told = dying.about(scanner.ipv4, "block").length + (await dying.history().catch(() =>
      ""
    )).split("Blocked").length - 1;

    await using daemon = await Daemon.start(target, { config: CONFIG, directory: dying.directory });
    const belief = await beliefs(daemon, target);
    assert.deepEqual(belief.kernel, belief.state);
    assert.deepEqual(belief.deny, belief.state);
    if (told > 0) assert.deepEqual(belief.state, [scanner.ipv4], "what was told must be in force");
    const lines = (await daemon.history()).split("\n").filter((line) => line.includes(`/${scanner.ipv4} `));
    assert.equal(
      lines.length > 0,
      belief.state.length > 0,
      "the history must tell of exactly what is in force",
    );
    assert.equal(await reaches(scanner, target.ipv4, 80), belief.state.length === 0);
  });
}

for (const point of ["release-undone", "release-saved", "release-told"]) {
  Deno.test(`kill -9 at ${point}: after the restart everything agrees`, async () => {
    await using scene = await Scene.open();
    const { target, scanner } = scene;
    await using dying = await Daemon.start(target, { config: CONFIG, env: { PORTSNARE_FAULT: point } });
    await scan(scanner, target);
    await dying.line("the ban", (line) => line["type"] === "block");
    await dying.cli("unblock", scanner.ipv4);
    assert.equal((await dying.process.status).signal, "SIGKILL");

    await using daemon = await Daemon.start(target, { config: CONFIG, directory: dying.directory });
    const belief = await beliefs(daemon, target);
    assert.deepEqual(belief.kernel, belief.state);
    assert.deepEqual(belief.deny, belief.state);
    if (point !== "release-undone") {
      assert.deepEqual(belief.state, [], "what was saved as lifted must stay lifted");
    }
    assert.equal(await reaches(scanner, target.ipv4, 80), belief.state.length === 0);
  });
}

Deno.test("bans stay in force while the daemon is dead, and a restart finds them with the time that they have left", async () => {
  await using scene = await Scene.open();
  const { target, scanner } = scene;
  await using first = await Daemon.start(target, { config: { ...CONFIG, block: { duration: "1h" } } });
  await scan(scanner, target);
  await first.line("the ban", (line) => line["type"] === "block");
  await first.stop("SIGKILL");
  assert.equal(await reaches(scanner, target.ipv4, 80), false, "dead, but the kernel goes on");
  await using second = await Daemon.start(target, {
    config: { ...CONFIG, block: { duration: "1h" } },
    directory: first.directory,
  });
  const [ban] = await listed(second);
  assert.equal(ban?.target, scanner.ipv4);
  assert.ok(ban.left > 3500 && ban.left <= 3600, `left ${ban.left}`);
  assert.equal(await reaches(scanner, target.ipv4, 80), false);
  const unblocked = await second.cli("unblock", scanner.ipv4);
  assert.equal(unblocked.code, 0, unblocked.stderr);
  assert.ok(await reaches(scanner, target.ipv4, 80), "unblock must take everything back (F6)");
  assert.deepEqual((await beliefs(second, target)).deny, []);
});

class Scene implements AsyncDisposable {
  readonly lab: Lab;
  readonly target: Host;
  readonly scanner: Host;

  private constructor(lab: Lab, target: Host, scanner: Host) {
    this.lab = lab;
    this.target = target;
    this.scanner = scanner;
  }

  static async open(): Promise<Scene> {
    const lab = await Lab.create();
    const scene = new Scene(lab, await lab.host(), await lab.host());
    await serve(scene.target, 80);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

async function scan(scanner: Host, target: Host): Promise<void> {
  await scanner.run(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sS", "-p", "1-60", target.ipv4]);
}

async function listed(
  daemon: Daemon,
): Promise<readonly { readonly target: string; readonly left: number }[]> {
  const { stdout } = await daemon.cli("list", "--json");
  return stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function beliefs(daemon: Daemon, target: Host): Promise<Belief> {
  const set = await target.out(["nft", "list", "set", "inet", "portsnare", "banned4"]);
  const deny = await Deno.readTextFile(`${daemon.directory}/hosts.deny`).catch(() => "");
  return {
    kernel: [...set.matchAll(/(\d+\.\d+\.\d+\.\d+)/g)].map((match) => match[1] ?? ""),
    state: (await listed(daemon)).map((ban) => ban.target),
    deny: [...deny.matchAll(/^ALL: (\S+)/gm)].map((match) => match[1] ?? ""),
  };
}
