/**
 * What every detector in the comparison must be able to do.
 * @module
 */
import { type Host, until } from "../../tests/lab/lab.ts";
import { CpuGroup } from "../measure/cpu_group.ts";

/** Who is compared. */
export interface Contestant {
  /** The name in the tables. */
  readonly name: string;
  /** Its version, got ready to run; `undefined` where it cannot be had here, which is said on stderr. */
  version(): Promise<string | undefined>;
  /** Start it in a host and wait until it says that it is watching. */
  start(host: Host): Promise<Running>;
  /** How many bytes its program has; `undefined` for no detector at all. */
  diskBytes(): Promise<number | undefined>;
}

/** What was seen and lost on the way, where the detector counts that. */
export interface Counted {
  readonly reported: number;
  readonly lost: number;
}

/** A contestant at work. Disposing it ends it and takes away what it put into the firewall. */
export interface Running extends AsyncDisposable {
  /** From the start of the process to its word that it watches. */
  readonly startMs: number;
  /** Used since the start, by its children too. */
  cpuSeconds(): number;
  /** How much of that the kernel spent on its behalf. */
  kernelSeconds(): number;
  /** How often it slept and was woken since the start. */
  wakes(): number;
  /** What it holds in memory. */
  rssKiB(): number;
  /** How many sources it keeps out at this moment. */
  banned(): Promise<number>;
  /** When the last ban was made, in milliseconds since the epoch; left out where it does not say. */
  lastBannedMs?(): Promise<number>;
  /** What it saw and lost; `undefined` where it does not say. */
  counted(): Promise<Counted | undefined>;
}

/** How a detector is started. */
export interface Launch {
  readonly argv: readonly string[];
  /** Where everything that it prints or logs goes. */
  readonly logFile: string;
  /** What the log says when it watches, as often as `readyLines`. */
  readonly ready: string;
  readonly readyLines: number;
  /** A file that is written right before the program itself starts, where something must be prepared first. */
  readonly begunFile?: string;
}

const ARMED_SECONDS = 30;
const END_SECONDS = 15;

/** A detector's processes, in a control group of their own. */
export class Processes implements AsyncDisposable {
  readonly group = CpuGroup.create();
  readonly #host: Host;
  startMs = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Start it and wait for its word. */
  async launch(launch: Launch): Promise<void> {
    // A file, not a pipe: nobody must wait for us to read while we are busy sending.
    const logged = ["/bin/sh", "-c", 'exec >>"$0" 2>&1; exec "$@"', launch.logFile, ...launch.argv];
    // The group is joined before the namespace is: the view of /sys in there has none.
    const [program = "", ...args] = this.group.wrap(["ip", "netns", "exec", this.#host.namespace, ...logged]);
    const begin = performance.now();
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    void child.status;
    const deadline = begin + ARMED_SECONDS * 1000;
    for (;;) {
      const log = readText(launch.logFile);
      if (log.split(launch.ready).length > launch.readyLines) break;
      if (performance.now() > deadline) throw new Error(`It does not start: ${log.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const begun = launch.begunFile === undefined ? undefined : Deno.statSync(launch.begunFile).mtime;
    this.startMs = begun instanceof Date ? Date.now() - begun.getTime() : performance.now() - begin;
  }

  /** Schedule them as portsnare's unit does (debian/portsnare.service). */
  async inRealTime(): Promise<void> {
    for (const pid of this.group.pids()) {
      const argv = ["chrt", "--all-tasks", "--reset-on-fork", "--rr", "--pid", "1", String(pid)];
      await this.#host.out(argv);
    }
  }

  /** End all of them, politely and then for certain. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const pid of this.group.pids()) kill(pid, signal);
      const ended = await until("the detector ends", () => this.group.pids().length === 0, END_SECONDS)
        .catch(() => false);
      if (ended) break;
    }
    this.group[Symbol.dispose]();
  }
}

/** Take every rule and set out of a host's firewall. */
export async function clearFirewall(host: Host): Promise<void> {
  await host.out(["nft", "flush", "ruleset"]);
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended in between.
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // Not made yet.
    return "";
  }
}
