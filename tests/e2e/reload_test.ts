/**
 * SIGHUP and `portsnare reload`: a good configuration takes effect, a bad one changes nothing and is told, and bans and
 * open sockets outlive both.
 */
import assert from "node:assert/strict";
import { besieged, PUBLIC_ADDRESS, scan, SERVICE_PORT } from "../lab/besieged.ts";
import { reaches, serve } from "../lab/clients.ts";
import { configText, Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Tells the daemon to read its configuration anew. */
type Way = (daemon: Daemon) => Promise<unknown>;

const WAYS: Readonly<Record<string, Way>> = {
  "SIGHUP": (daemon) => Promise.resolve(daemon.process.kill("SIGHUP")),
  "portsnare reload": (daemon) => daemon.cli("reload"),
};

async function write(daemon: Daemon, sections: Sections): Promise<void> {
  await Deno.writeTextFile(`${daemon.directory}/config.toml`, configText(daemon.directory, sections));
}

async function probe(from: Host, to: Host, port: number): Promise<void> {
  await from.run(["hping3", "-q", "-c", "1", "-S", "-p", String(port), to.ipv4]);
}

async function told(daemon: Daemon, source: Host, port: number): Promise<void> {
  await daemon.line(
    `${source.ipv4} at ${port} is told`,
    (line) => line["type"] === "probe" && line["source"] === source.ipv4 && line["port"] === port,
  );
}

function counted(daemon: Daemon, text: string): number {
  return daemon.notices().filter((line) => line.includes(text)).length;
}

async function reloaded(daemon: Daemon, text: string, before: number): Promise<void> {
  await until(`"${text}" is told`, () => counted(daemon, text) > before);
}

const GOOD = "The configuration was read anew";
const BAD = "The configuration was not changed";

for (const engine of ["kernel", "raw"] as const) {
  for (const [name, way] of Object.entries(WAYS)) {
    Deno.test(`reload: ${name}, engine ${engine}: other ports and another response take effect, and bans stay`, async () => {
      await using lab = await Lab.create();
      const [target, one, two, three] = [
        await lab.host(),
        await lab.host(),
        await lab.host(),
        await lab.host(),
      ];
      await serve(target, SERVICE_PORT);
      const first: Sections = {
        detect: { engine, scan_trigger: 0 },
        tcp: { mode: "stealth", ports: [21], response: "block" },
      };
      await using daemon = await Daemon.start(target, { config: first });
      await probe(one, target, 21);
      await until("the first is banned", async () => !(await reaches(one, target.ipv4, SERVICE_PORT)));

      await write(daemon, { ...first, tcp: { mode: "stealth", ports: [22], response: "observe" } });
      await way(daemon);
      await reloaded(daemon, GOOD, 0);
      await probe(two, target, 21);
      await probe(two, target, 22);
      await told(daemon, two, 22);
      assert.deepEqual(daemon.about(two.ipv4, "probe").map((line) => line["port"]), [22]);
      assert.ok(await reaches(two, target.ipv4, SERVICE_PORT), "observe bans nobody");
      assert.equal(await reaches(one, target.ipv4, SERVICE_PORT), false, "the ban stays");

      await write(daemon, { ...first, tcp: { mode: "connect", ports: [23], response: "block" } });
      await way(daemon);
      await reloaded(daemon, GOOD, 1);
      assert.ok(await reaches(three, target.ipv4, 23), "the port is bound now");
      await until("who connects is banned", async () => !(await reaches(three, target.ipv4, SERVICE_PORT)));
      assert.equal(await reaches(one, target.ipv4, SERVICE_PORT), false, "the ban stays");

      await write(daemon, { ...first, tcp: { mode: "off" }, udp: { mode: "off" } });
      await way(daemon);
      await reloaded(daemon, GOOD, 2);
      await probe(two, target, 23);
      assert.equal(await reaches(two, target.ipv4, 23), false, "the port is free again");
      assert.equal((await daemon.cli("unblock", one.ipv4)).code, 0);
      await until("the first is served again", () => reaches(one, target.ipv4, SERVICE_PORT));
    });
  }
}

const FAULTS: Readonly<Record<string, { readonly text: string; readonly told: RegExp }>> = {
  "an unknown key": { text: '[tcp]\nresponce = "block"\n', told: /config\.toml:2:\d+: .*response/s },
  "a wrong value": { text: '[tcp]\nmode = "loud"\n', told: /config\.toml:2:\d+: .*"loud"/s },
  "no TOML": { text: "[tcp\n", told: /config\.toml:1/ },
  "no text": { text: "\x00\x01\xff", told: /config\.toml/ },
};

Deno.test("reload: a bad configuration is refused with file and line, and the old one goes on", async (test) => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const good: Sections = { detect: { scan_trigger: 0 }, tcp: { mode: "stealth", ports: [21] } };
  await using daemon = await Daemon.start(target, { config: good });
  for (const [what, { text, told: message }] of Object.entries(FAULTS)) {
    await test.step(what, async () => {
      const before = counted(daemon, BAD);
      await Deno.writeTextFile(`${daemon.directory}/config.toml`, text);
      daemon.process.kill("SIGHUP");
      await reloaded(daemon, BAD, before);
      assert.match(daemon.notices().findLast((line) => line.includes(BAD)) ?? "", message);
      const scanner = await lab.host();
      await probe(scanner, target, 21);
      await told(daemon, scanner, 21);
    });
  }
  await test.step("the file is gone", async () => {
    const before = counted(daemon, BAD);
    await Deno.remove(`${daemon.directory}/config.toml`);
    daemon.process.kill("SIGHUP");
    await reloaded(daemon, BAD, before);
    const scanner = await lab.host();
    await probe(scanner, target, 21);
    await told(daemon, scanner, 21);
  });
  await test.step("and when it is mended, it is taken", async () => {
    const before = counted(daemon, GOOD);
    await write(daemon, { ...good, tcp: { mode: "stealth", ports: [22] } });
    daemon.process.kill("SIGHUP");
    await reloaded(daemon, GOOD, before);
    const scanner = await lab.host();
    await probe(scanner, target, 22);
    await told(daemon, scanner, 22);
  });
});

Deno.test("reload: portsnare reload fails with exit code 78 and says what is wrong", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target, {});
  await write(daemon, { log: { colour: true } });
  // The client itself reads the file for the socket's place; what it is told must be the fault, not a silence.
  const { code, stderr } = await daemon.cli("reload");
  assert.equal(code, 78, stderr);
  assert.match(stderr, /config\.toml:\d+:\d+: .*colour/);
  assert.equal((await daemon.cli("status")).code, 78, "control: the file is still bad");
});

Deno.test("reload: a configuration that this host cannot carry out is refused, and the old one goes on", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const good: Sections = { detect: { scan_trigger: 0 }, tcp: { mode: "stealth", ports: [21] } };
  await using daemon = await Daemon.start(target, { config: good });
  await target.out(["prlimit", "--pid", String(daemon.process.pid), "--nofile=128:128"]);
  await write(daemon, { ...good, tcp: { mode: "connect", ports: ["1-1000"] } });
  daemon.process.kill("SIGHUP");
  await reloaded(daemon, BAD, 0);
  assert.match(daemon.notices().findLast((line) => line.includes(BAD)) ?? "", /descriptors|open files/);
  await probe(scanner, target, 21);
  await told(daemon, scanner, 21);
});

Deno.test("reload: twenty at once, scans in between, leave one daemon, one table and no descriptor behind", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const config: Sections = { detect: { scan_trigger: 0 }, tcp: { response: "block" } };
  await using daemon = await Daemon.start(target, { config });
  const descriptors = async (): Promise<number> => {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${daemon.process.pid}/fd`)) count++;
    return count;
  };
  daemon.process.kill("SIGHUP");
  await reloaded(daemon, GOOD, 0);
  const before = await descriptors();
  for (let i = 0; i < 20; i++) {
    daemon.process.kill("SIGHUP");
    if (i === 10) await probe(scanner, target, 21);
  }
  assert.equal((await daemon.cli("reload")).code, 0);
  await daemon.line(
    "the scanner is banned",
    (line) => line["type"] === "block" && line["source"] === scanner.ipv4,
  );
  await until("nothing is left open", async () => await descriptors() <= before + 2);
  assert.equal((await target.out(["nft", "list", "tables"])).match(/portsnare/g)?.length, 1);
});

Deno.test("reload: forty in a row leave no memory behind but what V8 has not collected yet", async () => {
  await using lab = await Lab.create();
  await using daemon = await Daemon.start(await lab.host());
  const memoryMiB = async (): Promise<number> => {
    const status = await Deno.readTextFile(`/proc/${daemon.process.pid}/status`);
    return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };
  const reload = async (): Promise<void> => {
    const before = counted(daemon, GOOD);
    daemon.process.kill("SIGHUP");
    await reloaded(daemon, GOOD, before);
  };
  await reload();
  const before = await memoryMiB();
  for (let i = 0; i < 40; i++) await reload();
  // Each makes tables anew, of megabytes, and touches little of them.
  const grown = await memoryMiB() - before;
  assert.ok(grown < 40, `${grown} MiB more after 40 reloads`);
});

Deno.test("seeds 000, 001 and 003 (Debian11, Se protéger), C4: SIGHUP takes over what changed in /etc/default/portsentry and portsentry.conf", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    const child = await machine.start();
    await scan(scanner, "21");
    await machine.sh('sed -i \'s/TCP_MODE="tcp"/TCP_MODE="atcp"/\' /etc/default/portsentry');
    await machine.sh('sed -i \'s/BLOCK_TCP="0"/BLOCK_TCP="1"/\' /etc/portsentry/portsentry.conf');
    assert.equal(machine.count(scannerAddress), 0);
    child.kill("SIGHUP");
    await machine.heard(GOOD);
    await scan(scanner, "21");
    await machine.heard(`Host ${scannerAddress} has been blocked via dropped route`);
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
  });
});
