/** Whoever wants to fill something up: memory, the log. @module */
import assert from "node:assert/strict";
import { OBSERVED_LINES } from "../../src/record/history.ts";
import { Daemon } from "../lab/daemon.ts";
import { Lab, run, until } from "../lab/lab.ts";
import { RawSender } from "../lab/raw_sender.ts";
import {
  bannedInKernel,
  banOf,
  BLOCKING,
  forge,
  holdings,
  scan,
  statusOf,
  untilResidentBelow,
} from "../lab/siege.ts";

const TCP = 6;
const MAX_GROWTH_KB = 16_384;
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

Deno.test("state exhaustion: more sources than are remembered cost no more memory, and a scan among them is caught", async () => {
  await using lab = await Lab.create();
  const [target, flooder, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, detect: { max_sources: 1024 }, log: { burst: 1, level: "notice" } },
  });
  const flood = (first: number): void => {
    for (let i = first; i < first + 3000; i++) {
      forge(flooder, {
        source: `100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
        dest: target.ipv4,
        ports: [500],
      });
    }
  };
  flood(0);
  await until("the bound is reached", async () => (await statusOf(daemon)).sources.tracked >= 1000, 20);
  const before = await holdings(daemon.process.pid);
  for (let round = 1; round <= 4; round++) flood(round * 3000);
  await until("the scanner is caught", () => {
    scan(scanner, target.ipv4);
    return daemon.about(scanner.ipv4, "block").length > 0;
  }, 20);
  const { sources } = await statusOf(daemon);
  assert.ok(sources.tracked <= sources.max && sources.max === 1024, JSON.stringify(sources));
  assert.equal((await holdings(daemon.process.pid)).descriptors, before.descriptors);
  await untilResidentBelow(daemon.process.pid, before.residentKb + MAX_GROWTH_KB);
});

Deno.test("log flooding: thousands of probes of one source are a few lines and a summary, and the history is one line", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: { log: { burst: 20, interval: "2s", level: "debug" } },
  });
  const began = performance.now();
  for (let round = 0; round < 30; round++) scan(scanner, target.ipv4, 1, 100);
  await until("the summary comes", () => JSON.stringify(daemon.log).includes("suppressed"), 15);
  const intervals = Math.ceil((performance.now() - began) / 2000) + 1;
  const lines = daemon.about(scanner.ipv4, "probe").length;
  assert.ok(lines > 0 && lines <= 20 * intervals, `${lines} lines in ${intervals} intervals`);
  assert.equal((await daemon.history()).trim().split("\n").length, 1);
});

Deno.test("history flooding: forged sources that are only observed do not fill the disk, and a scanner is told in between", async () => {
  await using lab = await Lab.create();
  const [target, flooder, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: { log: { burst: 1, level: "notice" } } });
  const began = performance.now();
  let sources = 0;
  await until("the bound is told", () => {
    flooder.inside(() => {
      using sender = new RawSender();
      for (let i = 0; i < 500; i++, sources++) {
        const source = `100.${64 + (sources >> 16)}.${(sources >> 8) & 255}.${sources & 255}`;
        for (const destPort of [500, 501, 502]) {
          sender.send({ source, dest: target.ipv4, protocol: TCP, destPort });
        }
      }
    });
    return daemon.notices().some((line) => line.includes("left out of the history"));
  }, 60);
  await until("the scanner is in the history", async () => {
    scan(scanner, target.ipv4);
    return (await daemon.history()).includes(`/${scanner.ipv4} `);
  }, 30);
  const lines = (await daemon.history()).trim().split("\n").length;
  const most = OBSERVED_LINES.atOnce + OBSERVED_LINES.aSecond * (performance.now() - began) / 1000 + 1;
  assert.ok(lines > OBSERVED_LINES.atOnce / 2 && lines <= most, `${lines} lines of ${sources} sources`);
});

Deno.test("local users: nobody but root reaches the control socket, the state or the log of bans", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  // The directory is opened to everybody to read, as /run/portsnare is: then the files' own modes have to hold.
  await Deno.chmod(daemon.directory, 0o755);
  for (const file of ["state.db", "history"]) {
    const result = await run([...NOBODY, "cat", `${daemon.directory}/${file}`]);
    assert.match(result.stderr, /Permission denied/, file);
  }
  const unblock = JSON.stringify({ version: 1, verb: "unblock", target: "all" });
  const asking = ["sh", "-c", 'echo "$0" | nc -N -U "$1"', unblock, `${daemon.directory}/control.sock`];
  const asked = await run([...NOBODY, ...asking]);
  assert.notEqual(asked.code, 0);
  assert.equal(asked.stdout, "");
  for (const name of ["control.sock", "state.db", "history"]) {
    const removed = await run([...NOBODY, "rm", "-f", `${daemon.directory}/${name}`]);
    assert.notEqual(removed.code, 0, `${name} could be removed`);
  }
  assert.deepEqual(await bannedInKernel(target), [scanner.ipv4]);
});
