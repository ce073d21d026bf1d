/**
 * `detect.position` with the whole daemon under an administrator's own default-drop firewall, which stays exactly as it was.
 */
import assert from "node:assert/strict";
import { openPorts, reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { bannedInKernel, banOf, BLOCKING, statusOf } from "../lab/siege.ts";

/** Lets a service in, and one port behind which there is none. */
const OPEN = 80;
const LET_IN = 82;
const WALL = `table inet wall {
  chain input {
    type filter hook input priority 0; policy drop;
    iif "lo" accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    tcp dport { ${OPEN}, ${LET_IN} } accept
  }
  chain forward { type filter hook forward priority 0; policy drop; }
}
table ip wall {
  chain early { type filter hook prerouting priority -150; ip saddr 192.0.2.0/24 drop; }
}
`;
const CLOSED = Array.from({ length: 30 }, (_, index) => 500 + index);
/** Asked for one after the other, so that each port is asked for once, and in this order. */
const NMAP = ["-sS", "-T4", "--max-retries", "0", "-p"];

for (const trigger of [0, 3]) {
  const blocking = (position: string) => ({
    ...BLOCKING,
    detect: { engine: "kernel", position, scan_trigger: trigger },
  });

  Deno.test(`position: before-firewall, scan_trigger ${trigger}: a default-drop firewall hides no scan, and drops what it dropped`, async () => {
    await using lab = await Lab.create();
    const [target, client] = [await lab.host(), await lab.host()];
    await serve(target, OPEN);
    await using wall = await Wall.build(target);
    await using daemon = await Daemon.start(target, { config: blocking("before-firewall") });
    for (const family of [4, 6] as const) {
      const scanner = await lab.host();
      const [source, dest] = family === 4 ? [scanner.ipv4, target.ipv4] : [scanner.ipv6, target.ipv6];
      assert.ok(await reaches(scanner, dest, OPEN), "the service answers before");
      const scan = [...family === 4 ? [] : ["-6"], ...NMAP, CLOSED.join(), dest];
      assert.deepEqual(await openPorts(scanner, scan), []);
      await banOf(daemon, source);
      assert.equal(await reaches(scanner, dest, OPEN), false, "a banned source gets no answer");
      assert.ok(await reaches(client, dest, OPEN), "everybody else does");
    }
    // The firewall's own drop, and not a refusal, is what somebody gets who knocks once.
    const { stdout } = await client.run(["hping3", "-n", "-S", "-c", "1", "-p", "600", target.ipv4]);
    assert.doesNotMatch(stdout, /flags=/);
    await wall.stands();
    assert.equal(await daemon.stop(), 0);
    assert.equal((await daemon.cli("run", "--teardown")).code, 0);
    await wall.standsAlone();
  });

  Deno.test(`position: after-firewall, scan_trigger ${trigger}: what the firewall drops is nobody's business, what it lets in is`, async () => {
    await using lab = await Lab.create();
    const [target, scanner, intruder] = [await lab.host(), await lab.host(), await lab.host()];
    await serve(target, OPEN);
    await using wall = await Wall.build(target);
    await using daemon = await Daemon.start(target, { config: blocking("after-firewall") });
    for (const dest of [target.ipv4, target.ipv6]) {
      const family = dest === target.ipv6 ? ["-6"] : [];
      assert.deepEqual(await openPorts(scanner, [...family, ...NMAP, CLOSED.join(), dest]), []);
      assert.ok(await reaches(scanner, dest, OPEN), "nobody is held up for it");
    }
    const { trapped, reported } = (await statusOf(daemon)).packets;
    assert.deepEqual([trapped, reported], [0, 0]);

    assert.equal(await reaches(intruder, target.ipv4, LET_IN), false);
    await daemon.line(
      "what came through is told",
      (line) => line["type"] === "probe" && line["source"] === intruder.ipv4 && line["port"] === LET_IN,
    );
    if (trigger === 0) await banOf(daemon, intruder.ipv4);
    else await until("he is held up", async () => !(await reaches(intruder, target.ipv4, OPEN)), 3);
    assert.deepEqual(await bannedInKernel(target), trigger === 0 ? [intruder.ipv4] : []);
    for (const source of [scanner.ipv4, scanner.ipv6]) assert.deepEqual(daemon.about(source, "probe"), []);
    await wall.stands();
    assert.equal(await daemon.stop(), 0);
    assert.equal((await daemon.cli("run", "--teardown")).code, 0);
    await wall.standsAlone();
  });
}

/** The administrator's firewall. */
class Wall implements AsyncDisposable {
  readonly #host: Host;
  readonly #before: string;

  private constructor(host: Host, before: string) {
    this.#host = host;
    this.#before = before;
  }

  static async build(host: Host): Promise<Wall> {
    await host.out(["nft", "-f", "-"], { stdin: WALL });
    return new Wall(host, await listing(host));
  }

  /** Every table but ours is as it was, rule by rule. */
  async stands(): Promise<void> {
    assert.equal((await listing(this.#host)).replace(/^table inet portsnare \{.*?^\}\n/ms, ""), this.#before);
  }

  /** There is nothing else. */
  async standsAlone(): Promise<void> {
    assert.equal(await listing(this.#host), this.#before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.run(["nft", "flush", "ruleset"]);
  }
}

/** With handles: a rule that was taken out and put back has another one. */
async function listing(host: Host): Promise<string> {
  return await host.out(["nft", "-a", "list", "ruleset"]);
}
