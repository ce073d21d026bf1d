/**
 * What the daemon costs a host that does its work: traffic of real services is no work for it, whatever its volume. Nothing
 * here depends on how fast the machine is.
 */
import assert from "node:assert/strict";
import { serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { DENO } from "../lab/deno.ts";
import { Lab, until } from "../lab/lab.ts";
import { BLOCKING, statusOf } from "../lab/siege.ts";

const SECONDS = 10;
const IPERF_PORT = 5201;
const HTTP_PORT = 80;
/** Of the clock that /proc counts in (USER_HZ), which is 100 on every architecture that Debian has. */
const TICK_MS = 10;
/**
 * By how much ten seconds may differ from the next ten on a machine that does other things. If the daemon were woken for each
 * packet, it would be hundreds: iperf3 alone sends some 25,000 a second.
 */
const NOISE_TICKS = 20;
/** One and a half percent of a processor for what is looked at each second; it is a tenth of that when nobody else works. */
const IDLE_TICKS = 15;

Deno.test("cost: traffic of real services takes no processor time of the daemon, which never hears of it", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await serve(target, HTTP_PORT);
  const iperf = target.spawn(["iperf3", "-s", "-p", String(IPERF_PORT)], { stdout: "null", stderr: "null" });
  await until("iperf3 listens", async () => (await target.out(["ss", "-Hltn"])).includes(`:${IPERF_PORT} `));
  await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine: "kernel" } } });
  const { pid } = daemon.process;
  const during = async (work: () => Promise<unknown>): Promise<number> => {
    const before = await ticks(pid);
    await work();
    return await ticks(pid) - before;
  };
  // What is compiled and collected after the start is not the daemon's everyday life.
  await pause(3);
  const idle = await during(() => pause(SECONDS));
  let carried = "";
  const bulk = await during(async () => {
    const json = await client.out([
      "iperf3",
      "-J",
      "-c",
      target.ipv4,
      "-p",
      String(IPERF_PORT),
      "-t",
      String(SECONDS),
    ]);
    carried = /"sum_received":\s*\{[^}]*"bytes":\s*(\d+)/.exec(json)?.[1] ?? "";
  });
  const script = new URL("../lab/short_connections.ts", import.meta.url).pathname;
  let answered = 0;
  const short = await during(async () => {
    const argv = [
      DENO,
      "run",
      "-A",
      "--cached-only",
      script,
      target.ipv4,
      String(HTTP_PORT),
      String(SECONDS),
    ];
    answered = Number(await client.out(argv));
  });
  iperf.kill("SIGKILL");
  console.log(
    `processor time of the daemon in ${SECONDS} s: ${idle * TICK_MS} ms idle, ${
      bulk * TICK_MS
    } ms while iperf3 carried ` +
      `${carried} bytes, ${short * TICK_MS} ms during ${answered} connections`,
  );
  assert.ok(Number(carried) > 1e8 && answered > 1000, "there was no traffic to speak of");
  assert.deepEqual((await statusOf(daemon)).packets, { trapped: 0, reported: 0, lost: 0 });
  assert.ok(idle <= IDLE_TICKS, `${idle} ticks idle`);
  assert.ok(bulk <= idle + NOISE_TICKS, `${bulk} ticks, idle ${idle}`);
  assert.ok(short <= idle + NOISE_TICKS, `${short} ticks, idle ${idle}`);
});

/** Processor time that all threads of a process have used, in ticks (proc_pid_stat(5): utime and stime). */
async function ticks(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function pause(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
