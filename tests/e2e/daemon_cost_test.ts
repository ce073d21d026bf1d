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
const SETTLED_SECONDS = 33;
const IPERF_PORT = 5201;
const HTTP_PORT = 80;
/** Of the clock that /proc counts in (USER_HZ), which is 100 on every architecture that Debian has. */
const TICK_MS = 10;
/**
 * By how much ten seconds may differ from the next ten on a machine that does other things. If the daemon were woken for each
 * packet, it would be hundreds: iperf3 alone sends some 25,000 a second.
 */
const NOISE_TICKS = 10;
/** A second; some ten are the daemon's own. Traffic makes none, however much it is. */
const NOISE_WAKES = 10;
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
  const during = async (work: () => Promise<unknown>): Promise<Cost> => {
    const [begun, before] = [performance.now(), await costOf(pid)];
    await work();
    const after = await costOf(pid);
    const seconds = (performance.now() - begun) / 1000;
    return { ticks: after.ticks - before.ticks, wakes: (after.wakes - before.wakes) / seconds };
  };
  // Half a minute after the start ten seconds cost about 50 ms more, with traffic and without: not what is asked here.
  await pause(SETTLED_SECONDS);
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
  iperf.kill("SIGKILL");
  const text = ({ ticks, wakes }: Cost): string =>
    `${ticks * TICK_MS} ms and ${wakes.toFixed(0)} wakes a second`;
  console.log(
    `processor time of the daemon in ${SECONDS} s: ${text(idle)} idle, ${text(bulk)} while iperf3 carried ` +
      `${carried} bytes, ${text(short)} during ${answered} connections`,
  );
  assert.ok(Number(carried) > 1e8 && answered > 1000, "there was no traffic to speak of");
  assert.deepEqual((await statusOf(daemon)).packets, { trapped: 0, reported: 0, lost: 0 });
  assert.ok(idle.ticks <= IDLE_TICKS, text(idle));
  for (const busy of [bulk, short]) {
    assert.ok(busy.ticks <= idle.ticks + NOISE_TICKS, `${text(busy)}; idle ${text(idle)}`);
    assert.ok(busy.wakes <= idle.wakes + NOISE_WAKES, `${text(busy)}; idle ${text(idle)}`);
  }
});

/** What a process did within some time. */
interface Cost {
  /** Processor time of all its threads (proc_pid_stat(5): utime and stime). */
  readonly ticks: number;
  /** How often one of its threads was woken (proc_pid_status(5): voluntary_ctxt_switches). */
  readonly wakes: number;
}

async function costOf(pid: number): Promise<Cost> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  let wakes = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    // A thread may end while we look.
    const status = await Deno.readTextFile(`/proc/${pid}/task/${name}/status`).catch(() => "");
    wakes += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return { ticks: Number(fields[11]) + Number(fields[12]), wakes };
}

async function pause(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
