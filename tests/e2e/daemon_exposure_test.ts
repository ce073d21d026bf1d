/**
 * What a scan still learns from the whole daemon: the open ports that it asks for before its first trapped one, and no other,
 * in every run. Counted on a capture of the scanner's own.
 *
 * PORTSNARE_FULL=1 makes twenty runs of each variant, with nmap's own pace: a minute and a half each, because nobody
 * answers. Without it only the plainest variant has so many, and nmap is told not to wait.
 */
import assert from "node:assert/strict";
import { trapOf } from "../../src/config/trap.ts";
import { Capture } from "../lab/capture.ts";
import { openPorts, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { Lab } from "../lab/lab.ts";
import { blockingConfig } from "../lab/replayed.ts";

interface Variant {
  readonly scan: "-sS" | "-sT";
  readonly ipv6?: boolean;
  readonly trigger: number;
}

const OPEN = [22, 80, 443, 587, 993];
const VARIANTS: readonly Variant[] = [
  { scan: "-sS", trigger: 3 },
  { scan: "-sS", trigger: 0 },
  { scan: "-sT", trigger: 3 },
  { scan: "-sT", trigger: 0 },
  { scan: "-sS", ipv6: true, trigger: 3 },
  { scan: "-sS", ipv6: true, trigger: 0 },
  { scan: "-sT", ipv6: true, trigger: 3 },
  { scan: "-sT", ipv6: true, trigger: 0 },
];
const RUNS = 20;
const FEW_RUNS = 3;
const FULL = Deno.env.get("PORTSNARE_FULL") === "1";
/** Scans that go on at the same time, each from a host of its own. */
const AT_ONCE = FULL ? RUNS : 5;
const PACE = FULL ? [] : ["--min-rate", "1000"];

/** What one scan learnt, and what it could have learnt before its first trapped port. */
interface Run {
  readonly reported: readonly number[];
  readonly before: readonly number[];
}

for (const [index, variant] of VARIANTS.entries()) {
  const { scan, trigger, ipv6 = false } = variant;
  const runs = FULL || index === 0 ? RUNS : FEW_RUNS;
  const name = `nmap ${scan}${ipv6 ? " -6" : ""} -T4 -p1-1024, scan_trigger ${trigger}`;
  Deno.test(`exposure, whole daemon: ${name}: nothing after the first trapped port, ${runs} of ${runs}`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    await serve(target, ...OPEN);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine: "kernel", scan_trigger: trigger }, tcp: { response: "block" } },
    });
    const address = ipv6 ? target.ipv6 : target.ipv4;
    const scanOnce = async (): Promise<Run> => {
      const scanner = await lab.host();
      await scanner.out(["ping", "-c", "1", "-W", "2", address]);
      await using capture = await Capture.start(scanner);
      const how = [scan, ...(ipv6 ? ["-6"] : []), "-T4", "-p1-1024", "--max-retries", "0", ...PACE, address];
      const reported = await openPorts(scanner, how);
      const asked = await capture.portsAsked(address);
      assert.equal(asked.length, 1024, "the capture must show every port asked for");
      return { reported, before: openBeforeTrap(asked) };
    };
    const done: Run[] = [];
    let left = runs;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) done.push(await scanOnce());
    }));
    console.log(
      `${name}: ${done.map(({ reported }) => reported.length).join(" ")} of ${OPEN.length} open ports`,
    );
    assert.equal(done.length, runs);
    for (const { reported, before } of done) {
      assert.deepEqual(inOrder(reported), inOrder(before), daemon.said());
    }
  });
}

/** The open ports among those asked for before the first trapped one. */
function openBeforeTrap(asked: readonly number[]): readonly number[] {
  const trap = trapOf(blockingConfig());
  const first = asked.findIndex((port) => trap.tcp.has(port) && !OPEN.includes(port));
  return asked.slice(0, first).filter((port) => OPEN.includes(port));
}

function inOrder(ports: readonly number[]): readonly number[] {
  return [...ports].sort((a, b) => a - b);
}
