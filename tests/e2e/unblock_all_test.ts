/**
 * An administrator who lifts every ban there is, while scanners go on: they are caught as quickly as ever, the log stays
 * readable, and nothing of the old bans is left.
 */
import assert from "node:assert/strict";
import type { NewBan } from "../../src/record/state/ban.ts";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import { Daemon } from "../lab/daemon.ts";
import { Lab, until } from "../lab/lab.ts";
import { bannedByDaemon, bannedInKernel, BLOCKING, forge } from "../lab/siege.ts";
import { ban } from "../unit/record/state/lab_state.ts";

const MANY = 100_000;
/** Each of these has two lines in hosts.deny. */
const DENIED = 20_000;
const CONFIG = { ...BLOCKING, detect: { scan_trigger: 0 }, log: { burst: 20 } };
/** Nobody waits for a ban longer than this part of the whole; on a busy machine both take longer. */
const MAX_SHARE = 0.25;

Deno.test("unblock --all of 100,000 bans: a few lines in the log, and who scans meanwhile is banned at once", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  {
    using state = new State(`${directory}/state.db`, systemClock);
    state.saveBans(crowd(MANY));
    state.markRecorded();
  }
  await using daemon = await Daemon.start(target, { config: CONFIG, directory });
  let [isDone, seconds] = [false, 0];
  const began = performance.now();
  const unblocking = daemon.cli("unblock", "--all").finally(() => {
    isDone = true;
    seconds = (performance.now() - began) / 1000;
  });
  const delays: number[] = [];
  const meanwhile: string[] = [];
  while (!isDone) {
    const source = `100.64.0.${delays.length + 1}`;
    const sent = performance.now();
    forge(scanner, { source, dest: target.ipv4, ports: [500] });
    await until("the scanner is banned", () => daemon.about(source, "block").length > 0, 20);
    delays.push((performance.now() - sent) / 1000);
    if (!isDone) meanwhile.push(source);
  }
  const { code, stdout, stderr } = await unblocking;
  assert.equal(code, 0, stderr);
  const shown = stdout.trimEnd().split("\n");
  assert.match(shown.at(-1) ?? "", /^10\d{4} bans lifted$/);
  assert.ok(shown.length < 100, `${shown.length} lines on the terminal`);
  console.log(
    `${meanwhile.length} scanners banned meanwhile, after ${Math.max(...delays).toFixed(2)} s at the latest`,
  );
  assert.ok(meanwhile.length > 0, "nobody scanned meanwhile");
  assert.ok(Math.max(...delays) < seconds * MAX_SHARE, `${Math.max(...delays)} of ${seconds} s until a ban`);

  const summary = await daemon.line("the rest is summed up", (line) => line["type"] === "releases");
  const named = daemon.log.filter((line) => line["type"] === "release").length;
  assert.equal(named + Number(summary["released"]), Number(shown.at(-1)?.split(" ")[0]));
  assert.deepEqual([named, summary["failed"], summary["cause"]], [100, 0, "unblocked"]);
  assert.doesNotMatch(daemon.said(), /were lost/);
  // Those of the scanners that were banned before the list of bans was made have been lifted with the others.
  const listed = await bannedByDaemon(daemon);
  assert.ok(listed.every((address) => address.startsWith("100.64.0.")), listed.slice(0, 5).join());
  // While the kernel's hash table still shrinks, a listing passes some of its elements over.
  await until("the kernel agrees", async () => (await bannedInKernel(target)).join() === listed.join());
  const lines = (await daemon.history()).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => /\/(\S+) Port/.exec(line)?.[1]),
    delays.map((_, i) => `100.64.0.${i + 1}`),
  );
});

Deno.test("unblock --all of 20,000 bans with hosts.deny takes their lines away, and leaves those of others", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  const path = `${directory}/hosts.deny`;
  {
    using state = new State(`${directory}/state.db`, systemClock);
    state.saveBans(crowd(DENIED));
    state.markRecorded();
  }
  const own = "sshd: 198.51.100.1\n";
  await Deno.writeTextFile(path, own);
  const config = { ...CONFIG, actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" } };
  await using daemon = await Daemon.start(target, { config, directory });
  const denied = async (): Promise<number> => (await Deno.readTextFile(path)).match(/^ALL: /gm)?.length ?? 0;
  assert.equal(await denied(), DENIED, "control: they are there");
  const { code, stdout, stderr } = await daemon.cli("unblock", "--all");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^20000 bans lifted$/m);
  assert.equal(await Deno.readTextFile(path), own);
  assert.deepEqual(await bannedInKernel(target), []);
});

function crowd(count: number): readonly NewBan[] {
  return Array.from(
    { length: count },
    (_, i) => ban(`10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, systemClock, { seconds: 86_400 }),
  );
}
