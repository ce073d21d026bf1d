import assert from "node:assert/strict";
import { convertPortsentry } from "../../../../src/cli/convert.ts";
import { loadConfig, type LoadedConfig } from "../../../../src/config/load.ts";
import { ConfigError, formatFault } from "../../../../src/errors.ts";
import { run } from "../../../lab/lab.ts";

const FIXTURES = new URL("../../../fixtures/portsentry/", import.meta.url).pathname;

/** The seds of a recipe that people use, line by line as they stand there; paths are relative to /etc. */
const RECIPE = [
  [`s/TCP_MODE="tcp"/TCP_MODE="atcp"/`, "default/portsentry"],
  [`s/UDP_MODE="udp"/UDP_MODE="audp"/`, "default/portsentry"],
  [`s/BLOCK_UDP="0"/BLOCK_UDP="1"/`, "portsentry/portsentry.conf"],
  [`s/BLOCK_TCP="0"/BLOCK_TCP="1"/`, "portsentry/portsentry.conf"],
  [`s/RESOLVE_HOST = "0"/RESOLVE_HOST = "1"/`, "portsentry/portsentry.conf"],
  [`s/^KILL_ROUTE/#&/`, "portsentry/portsentry.conf"],
  [
    String
      .raw`s/^#\?KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j DROP"/KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j CHAOS"/`,
    "portsentry/portsentry.conf",
  ],
] as const;

/** Runs `body` with a copy of /etc as PortSentry's package leaves it. */
async function withEtc(conf: string, body: (etc: string) => Promise<void>): Promise<void> {
  const etc = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${etc}/portsentry`);
    await Deno.mkdir(`${etc}/default`);
    await Deno.copyFile(`${FIXTURES}${conf}`, `${etc}/portsentry/portsentry.conf`);
    if (conf.includes("1.2")) await Deno.copyFile(`${FIXTURES}default`, `${etc}/default/portsentry`);
    await body(etc);
  } finally {
    await Deno.remove(etc, { recursive: true });
  }
}

async function loadAt(etc: string): Promise<LoadedConfig> {
  return await loadConfig(`${etc}/portsentry/portsentry.conf`, { servicePort: () => undefined });
}

async function convertAt(etc: string): Promise<string> {
  const conf = `${etc}/portsentry/portsentry.conf`;
  const modes = `${etc}/default/portsentry`;
  const text = await Deno.readTextFile(modes).catch(() => undefined);
  return convertPortsentry({
    conf: { path: conf, text: await Deno.readTextFile(conf) },
    modeFile: text === undefined ? undefined : { path: modes, text },
  });
}

for (const conf of ["portsentry-1.2-14.conf", "portsentry-2.0.7.conf"]) {
  Deno.test(`C2: ${conf} loads, and what convert writes loads to the same configuration`, async () => {
    await withEtc(conf, async (etc) => {
      const { config } = await loadAt(etc);
      const toml = `${etc}/config.toml`;
      await Deno.writeTextFile(toml, await convertAt(etc));
      assert.deepEqual((await loadConfig(toml)).config, config);
      for (const protocol of [config.tcp, config.udp]) {
        assert.equal(protocol.response, "observe", "C16: blocks nothing by default");
      }
      assert.equal(config.detect.scan_trigger, 0);
    });
  });
}

Deno.test("C2: the stock file of 1.2-14 means what it meant", async () => {
  await withEtc("portsentry-1.2-14.conf", async (etc) => {
    const { config, sources } = await loadAt(etc);
    assert.deepEqual(sources, [`${etc}/portsentry/portsentry.conf`, `${etc}/default/portsentry`]);
    assert.deepEqual([config.tcp.mode, config.udp.mode], ["connect", "connect"]);
    assert.deepEqual([config.tcp.ports.size, config.udp.ports.size], [26, 21]);
    assert.equal(config.udp.exclude.toString(), "67,137-138,520");
    assert.equal(config.actions.kill_route, "/sbin/route add -host $TARGET$ reject");
    assert.equal(config.actions.kill_hosts_deny, "ALL: $TARGET$ : DENY");
    assert.equal(config.files.history, "/var/lib/portsentry/portsentry.history");
  });
});

Deno.test("the stock file of 1.2-14 traps ports that outgoing traffic uses, which is told", async () => {
  await withEtc("portsentry-1.2-14.conf", async (etc) => {
    const told = (await loadAt(etc)).warnings.map(formatFault).filter((line) =>
      line.includes("outgoing traffic")
    );
    assert.equal(told.length, 2);
    assert.match(told[0] ?? "", /portsentry\.conf:6:12: TCP_PORTS: tcp\.ports traps 32771, 32772, /);
  });
});

Deno.test("C3, C4, C13: the seds of the recipes, on the stock files of 1.2, give what they intend", async () => {
  await withEtc("portsentry-1.2-14.conf", async (etc) => {
    const before = await Deno.readTextFile(`${etc}/portsentry/portsentry.conf`);
    for (const [script, path] of RECIPE) {
      const { code, stderr } = await run(["sed", "-i", script, `${etc}/${path}`]);
      assert.equal(code, 0, stderr);
    }
    const after = await Deno.readTextFile(`${etc}/portsentry/portsentry.conf`);
    const changed = after.split("\n").filter((line, index) => line !== before.split("\n")[index]);
    assert.equal(changed.length, 5, changed.join("\n"));
    const { config } = await loadAt(etc);
    assert.deepEqual([config.tcp.mode, config.udp.mode], ["advanced", "advanced"]);
    assert.deepEqual([config.tcp.response, config.udp.response], ["block", "block"]);
    assert.equal(config.detect.resolve_host, true);
    assert.equal(config.actions.kill_route, "/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS");
    assert.equal(config.actions.firewall, "none", "the administrator's own command is the firewall");
    await Deno.writeTextFile(`${etc}/config.toml`, await convertAt(etc));
    assert.deepEqual((await loadConfig(`${etc}/config.toml`)).config, config);
  });
});

Deno.test("C4: a mode file that PortSentry refuses stops the start, with the place", async () => {
  await withEtc("portsentry-1.2-14.conf", async (etc) => {
    await Deno.writeTextFile(`${etc}/default/portsentry`, 'TCP_MODE="advanced"\n');
    await assert.rejects(loadAt(etc), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(
        error.message,
        `${etc}/default/portsentry:1:10: TCP_MODE: expected "", "tcp", "stcp", "atcp", found "advanced"`,
      );
      return true;
    });
  });
});
