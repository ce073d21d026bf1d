/**
 * The log of the whole daemon, where it goes and how loud it is: the real journal, `/dev/log` where there is none, plain
 * standard output where there is neither.
 */
import assert from "node:assert/strict";
import type { StatusView } from "../../src/control/views.ts";
import { reloadText } from "../../src/control/reload_text.ts";
import { Daemon } from "../lab/daemon.ts";
import { Journal } from "../lab/journal.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { Machine } from "../lab/machine.ts";
import { forge } from "../lab/siege.ts";

const PATH = "/etc/portsnare/config.toml";
const RUN = [...Daemon.program(), "run", "-c", PATH];
const BURST = 20;
const INTERVAL_SECONDS = 3;
/** The lines on a ban of three probes one of whose actions fails, and the severity of each. */
const LOUDNESS: readonly (readonly [string, number, RegExp])[] = [
  ["the ban is a notice", 5, /^attackalert: Host \S+ has been blocked via nftables for 1d/],
  ["a command that fails is an error", 3, /^adminalert: ERROR: There was an error trying to run command/],
  ["the daemon's start is a notice", 5, /^adminalert: portsnare is now active and listening\.$/],
];
/** Of the probes: two are below the trigger, which is an info, and one is a notice. */
const PROBES = [5, 6, 6];
const PORTS = [500, 501, 502];
const PROBE =
  /attackalert: TCP SYN\/Normal scan from host: 100\.64\.0\.1\/100\.64\.0\.1 to TCP port: 50[012]$/;

/** TOML with these lines in `[log]`. */
function config(log: string, more = ""): string {
  return `[tcp]\nresponse = "block"\n[actions]\nkill_run_cmd = "exit 3"\n[log]\n${log}\n${more}`;
}

/** SYNs of a source; processors may put them out of order. */
function probes(from: Host, to: Host, source: string, ports = PORTS): void {
  forge(from, { source, dest: to.ipv4, ports });
}

/** What the daemon of a machine says of itself. */
async function status(machine: Machine): Promise<StatusView> {
  return JSON.parse(await machine.sh(`${Daemon.program().join(" ")} status -c ${PATH} --json`));
}

Deno.test("log: in the real journal every line has its priority, text or JSON, at the level that was asked for", async (test) => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  const journal = await Journal.start(machine);
  await machine.write(PATH, config('level = "info"'));
  const daemon = journal.spawn(RUN);
  await journal.heard("active and listening");

  await test.step("text, with priorities", async () => {
    probes(scanner, target, "100.64.0.1");
    await journal.heard("trying to run command");
    for (const [what, priority, line] of LOUDNESS) {
      const entry = await journal.heard(line);
      assert.equal(entry.PRIORITY, String(priority), `${what}: ${entry.MESSAGE}`);
    }
    const told = (await journal.entries()).filter(({ MESSAGE }) => PROBE.test(MESSAGE));
    assert.deepEqual(told.map(({ PRIORITY }) => Number(PRIORITY)).toSorted(), PROBES);
    for (const { MESSAGE } of await journal.entries()) {
      assert.doesNotMatch(MESSAGE, /^<|^\d{4}-/, "no prefix is left");
    }
    assert.deepEqual(machine.syslog(), [], "and nothing goes to /dev/log besides");
  });

  await test.step("a bad configuration is an error, one that waits for a restart a warning", async () => {
    await machine.write(PATH, "[tcp]\nresponce = 1\n");
    daemon.kill("SIGHUP");
    assert.equal((await journal.heard("The configuration was not changed")).PRIORITY, "3");
    await machine.write(PATH, config('level = "info"', '[files]\nstate = "/var/lib/portsnare/other.db"\n'));
    daemon.kill("SIGHUP");
    const text = reloadText({ config: [PATH], needsRestart: ["files.state"] });
    assert.equal((await journal.heard(text)).PRIORITY, "4");
  });

  await test.step("JSON after a reload, with priorities", async () => {
    await machine.write(PATH, config('level = "notice"\nformat = "json"'));
    daemon.kill("SIGHUP");
    await journal.heard(/^\{.*was read anew/);
    probes(scanner, target, "100.64.0.2");
    const { PRIORITY, MESSAGE } = await journal.heard(/^\{"type":"block"/);
    // One line tells of all actions, and one of them has failed.
    assert.equal(PRIORITY, "3");
    const block = JSON.parse(MESSAGE);
    assert.deepEqual([block.source, block.result, block.offence], ["100.64.0.2", "made", 1]);
    assert.equal((await journal.heard(/^\{"type":"probe".*100\.64\.0\.2/)).PRIORITY, "5");
    const own = (await journal.entries()).filter(({ MESSAGE: line }) => line.includes('"100.64.0.2"'));
    const told = own.map(({ MESSAGE: line }) => JSON.parse(line)).filter(({ type }) => type === "probe");
    assert.deepEqual(told.map(({ verdict }) => verdict), ["block"], "what is below the level is not there");
  });

  await test.step("errors only after another, and the end is not told", async () => {
    await machine.write(PATH, config('level = "err"'));
    daemon.kill("SIGHUP");
    await until("the reload is over", async () => (await status(machine)).sources.tracked === 0);
    const before = (await journal.entries()).length;
    probes(scanner, target, "100.64.0.3");
    await journal.heard(/trying to run command \(exec fail\) for host: 100\.64\.0\.3/);
    assert.equal(await machine.stop(daemon), 0);
    const added = (await journal.entries()).slice(before);
    assert.deepEqual(added.map(({ PRIORITY }) => PRIORITY), ["3"]);
  });
});

Deno.test("log: a thousand probes of one source are a few lines and one summary for each interval", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  const journal = await Journal.start(machine);
  await machine.write(
    PATH,
    `[detect]\nscan_trigger = 0\n[log]\nburst = ${BURST}\ninterval = "${INTERVAL_SECONDS}s"\n`,
  );
  const daemon = journal.spawn(RUN);
  await journal.heard("active and listening");
  for (let round = 0; round < 10; round++) {
    const ports = Array.from({ length: 100 }, (_, i) => 300 + i);
    probes(scanner, target, "100.64.0.9", ports);
  }
  await journal.heard(/more probes from 100\.64\.0\.9/);
  const { packets } = await status(machine);
  assert.equal(await machine.stop(daemon), 0);
  const lines = (await journal.entries()).map(({ MESSAGE }) => MESSAGE).filter((line) =>
    line.includes("100.64.0.9")
  );
  const summaries = lines.flatMap((line) => {
    const count = /^attackalert: (\d+) more probes from 100\.64\.0\.9 on \d+ ports in the last 3 s$/.exec(
      line,
    )?.[1];
    return count === undefined ? [] : [Number(count)];
  });
  // The thousand may lie in two intervals; a probe has two lines, one on the packet and one on what is done about it.
  const told = lines.filter((line) => line.includes("scan from host")).length;
  assert.ok(summaries.length >= 1 && summaries.length <= 2, lines.join("\n"));
  assert.equal(told + summaries.reduce((sum, count) => sum + count, 0), packets.reported);
  assert.ok(packets.reported > 900, `${packets.reported} probes`);
  assert.ok(lines.length <= summaries.length * (BURST + 2), `${lines.length} lines`);
});

Deno.test("log: without a journal lines go to /dev/log with the priority of each, text or JSON", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  await machine.write(PATH, config('level = "info"'));
  const daemon = await machine.start("run", "-c", PATH);
  probes(scanner, target, "100.64.0.1");
  for (const [what, priority, text] of LOUDNESS) {
    const body = text.source.replace("^", "");
    const line = await machine.heard(
      new RegExp(`^<\\d+>\\w{3} [ \\d]\\d [\\d:]{8} portsnare\\[\\d+\\]: ${body}`),
    );
    const facility = 3 << 3;
    assert.equal(/^<(\d+)>/.exec(line)?.[1], String(facility | priority), `${what}: ${line}`);
  }
  const told = machine.syslog().filter((line) => PROBE.test(line));
  const priorities = told.map((line) => Number(/^<(\d+)>/.exec(line)?.[1]) & 7);
  assert.deepEqual(priorities.toSorted(), PROBES);
  assert.equal(await machine.printed(), "", "and nothing is printed besides");
  await machine.write(PATH, config('level = "info"\nformat = "json"'));
  daemon.kill("SIGHUP");
  await machine.heard(/portsnare\[\d+\]: \{.*was read anew/);
  probes(scanner, target, "100.64.0.2");
  const block = await machine.heard(/^<27>.*\]: \{"type":"block"/);
  assert.equal(JSON.parse(block.replace(/^.*?\]: /, "")).source, "100.64.0.2");
  await machine.heard(/^<30>.*\]: \{"type":"probe".*"verdict":"below-trigger"/);
  await machine.write(PATH, config('target = "stdout"'));
  daemon.kill("SIGHUP");
  await until("it is printed from now on", async () => (await machine.printed()).includes("was read anew"));
  assert.match(
    await machine.printed(),
    /^adminalert: The configuration was read anew: \S+$/m,
    "without a prefix",
  );
  assert.equal(await machine.stop(daemon), 0);
});
