/**
 * Case 7: what a packet costs on its way to a decision, without the network.
 * @module
 */
import { DENO } from "../../tests/lab/deno.ts";
import { run } from "../../tests/lab/lab.ts";
import type { Case, Report } from "../case.ts";
import { program } from "../contestants/portsnare.ts";
import { CpuGroup } from "../measure/cpu_group.ts";
import { benchRows } from "../measure/deno_bench.ts";
import { figure, type Table } from "../measure/format.ts";
import { median } from "../measure/statistics.ts";
import { SynPacket } from "../traffic/syn_packet.ts";

const BENCH = new URL("../hot_path_bench.ts", import.meta.url).pathname;
const PACKETS = 1_000_000;
const QUICK_PACKETS = 100_000;
const REPLAY_SECONDS = 300;
/** struct pcap_file_header: magic, version 2.4, zone, accuracy, snap length, LINKTYPE_RAW. */
const PCAP_HEADER = new Uint8Array(Uint32Array.of(0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101).buffer);
const RECORD_BYTES = 16;
const SERVER = "192.0.2.2";
const FIRST_SOURCE = 0x0a4e0000;
/** One of so many packets opens a connection to a real service; the rest are probes of many scanners. */
const SERVED_EVERY = 4;
const CHUNK_PACKETS = 10_000;

/** See {@link Case}. */
export const hotPath: Case = {
  name: "hot-path",
  title: "7. The hot path",
  about:
    "`deno bench bench/hot_path_bench.ts`, and `portsnare replay` of a capture of a million SYN packets: three quarters to " +
    "closed ports from 65,536 sources, one quarter to an open one.",
  async run(_field, { rounds, quick }): Promise<Report> {
    return {
      tables: [await functions(), await replayed(rounds, quick ? QUICK_PACKETS : PACKETS)],
      notes: [],
    };
  },
};

async function functions(): Promise<Table> {
  const { code, stdout, stderr } = await run([DENO, "bench", "-A", "--json", BENCH], { seconds: 180 });
  if (code !== 0) throw new Error(`deno bench failed: ${stderr}`);
  return {
    title: "Functions",
    head: ["group", "what", "mean", "99 of 100 below"],
    rows: benchRows(stdout).map(({ group, name, meanNs, p99Ns }) => [
      group,
      name,
      figure(meanNs, "ns"),
      figure(p99Ns, "ns"),
    ]),
  };
}

async function replayed(rounds: number, packets: number): Promise<Table> {
  const path = await Deno.makeTempFile({ prefix: "portsnare-bench-", suffix: ".pcap" });
  try {
    await writeCapture(path, packets);
    const seconds: number[] = [];
    const cpuSeconds: number[] = [];
    for (let i = 0; i < rounds; i++) {
      using group = CpuGroup.create();
      const begin = performance.now();
      const argv = [...program(), "replay", path, "--local", SERVER, "--open", "80", "--json"];
      // A scan is told packet by packet; what is timed is the judging, not the reading of the answer.
      const { code, stderr } = await run(
        group.wrap(["/bin/sh", "-c", 'exec "$0" "$@" >/dev/null', ...argv]),
        { seconds: REPLAY_SECONDS },
      );
      if (code !== 0) throw new Error(`replay failed: ${stderr}`);
      seconds.push((performance.now() - begin) / 1000);
      cpuSeconds.push(group.cpuSeconds());
    }
    const middle = median(seconds);
    const cpu = median(cpuSeconds);
    return {
      title: "Replay, as a whole process",
      head: ["packets", "time", "processor time", "packets a second", "processor time for each"],
      rows: [[
        figure(packets),
        figure(middle, "s"),
        figure(cpu, "s"),
        figure(middle === undefined ? undefined : packets / middle),
        figure(cpu === undefined ? undefined : cpu / packets * 1e6, "µs"),
      ]],
    };
  } finally {
    await Deno.remove(path);
  }
}

/** Raw IP (LINKTYPE_RAW), one packet a microsecond times ten. */
async function writeCapture(path: string, packets: number): Promise<void> {
  using file = await Deno.open(path, { write: true, truncate: true });
  await file.write(PCAP_HEADER);
  const packet = new SynPacket("10.78.0.0", SERVER);
  const length = packet.bytes.length;
  for (let first = 0; first < packets; first += CHUNK_PACKETS) {
    const chunk = new Uint8Array(CHUNK_PACKETS * (RECORD_BYTES + length));
    const view = new DataView(chunk.buffer);
    for (let i = 0; i < CHUNK_PACKETS; i++) {
      const number = first + i;
      const at = i * (RECORD_BYTES + length);
      const microseconds = number * 10;
      view.setUint32(at, 1_700_000_000 + Math.floor(microseconds / 1e6), true);
      view.setUint32(at + 4, microseconds % 1e6, true);
      view.setUint32(at + 8, length, true);
      view.setUint32(at + 12, length, true);
      packet.aim({
        sourceBits: FIRST_SOURCE + (Math.imul(number, 0x9e3779b1) >>> 16),
        sourcePort: 10_000 + number % 50_000,
        destPort: number % SERVED_EVERY === 0 ? 80 : 1 + number % 1000,
      });
      chunk.set(packet.bytes, at + RECORD_BYTES);
    }
    await file.write(chunk);
  }
}
