/**
 * Where the raw engine's time goes: a process made of its parts, with a look at the clock between them.
 * @module
 */
import { DENO } from "../../tests/lab/deno.ts";
import type { Host } from "../../tests/lab/lab.ts";
import { clearFirewall, Processes } from "../contestants/contestant.ts";

/** What one new scanner's first trapped packet took, in milliseconds. */
export interface Stages {
  /** From the kernel's time stamp on the packet to our code. */
  readonly wake: number;
  /** To understand and to judge it, without the questions. */
  readonly judge: number;
  /** To ask the kernel whether anybody owns the port, and whether the packet was translated. */
  readonly ask: number;
  /** Until the kernel had acknowledged the quarantine. */
  readonly hold: number;
}

/** Starts the process, has somebody send to it, and ends it. @returns One entry for each new scanner that it saw. */
export async function stagesDuring(host: Host, sending: () => Promise<unknown>): Promise<readonly Stages[]> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-bench-" });
  const logFile = `${directory}/stages`;
  try {
    await using processes = new Processes(host);
    const script = new URL("./stages_process.ts", import.meta.url).pathname;
    const argv = [DENO, "run", "-A", "--cached-only", script];
    await processes.launch({ argv, logFile, ready: "armed", readyLines: 1 });
    await processes.inRealTime();
    await sending();
    const lines = (await Deno.readTextFile(logFile)).split("\n");
    // Printed by stages_process.ts, which is typed.
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Stages);
  } finally {
    await clearFirewall(host);
    await Deno.remove(directory, { recursive: true });
  }
}
