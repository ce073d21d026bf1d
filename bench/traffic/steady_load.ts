/**
 * Short connections in slices of a moment: a client that is stopped and continued, so that contestants can be compared
 * many times within seconds.
 * @module
 */
import { type Host, until } from "../../tests/lab/lab.ts";
import { debianTree, Place } from "../contestants/debian_tree.ts";
import { pinned } from "../measure/cpus.ts";
import { type Packets, packetsBetween, packetsOf } from "../measure/packets.ts";
import type { Scene } from "../scene.ts";

/** What one slice did. */
export interface Slice {
  readonly seconds: number;
  /** How many connections the server accepted. */
  readonly connections: number;
  /** Packets that the server got and sent. */
  readonly packets: Packets;
  /** Processor time of both ends, in seconds. */
  readonly endsSeconds: number;
}

/** Longer than any case. */
const WRK_SECONDS = 100_000;
/** Until the connections that were stopped half-way are over, after each start and each stop. */
const SETTLE_MS = 20;

/** A client, stopped at first. */
export class SteadyLoad implements AsyncDisposable {
  readonly #scene: Scene;
  readonly #place: Place;
  readonly #client: Deno.ChildProcess;
  readonly #threads: readonly string[];

  private constructor(scene: Scene, parts: {
    readonly place: Place;
    readonly client: Deno.ChildProcess;
    readonly threads: readonly string[];
  }) {
    this.#scene = scene;
    this.#place = parts.place;
    this.#client = parts.client;
    this.#threads = parts.threads;
  }

  /** Make a client that asks the server's nginx for one page per connection, without end. */
  static async begin(scene: Scene): Promise<SteadyLoad> {
    const place = await Place.create(await debianTree("bookworm", ["nginx-light", "wrk"]), {});
    const url = `http://${scene.server.ipv4}:80/`;
    const wrk = ["wrk", "-t1", "-c16", `-d${WRK_SECONDS}s`, "-H", "Connection: close", url];
    const client = scene.client.spawn(pinned("client", place.argv(wrk)), { stdout: "null", stderr: "null" });
    const threads = await until("the client is at work", async () => {
      const [server, asking] = [await threadsOf(scene.server, "nginx"), await threadsOf(scene.client, "wrk")];
      // The main thread of wrk and the one that does the work.
      return asking.length > 1 && server.length > 1 ? [...server, ...asking] : undefined;
    });
    client.kill("SIGSTOP");
    return new SteadyLoad(scene, { place, client, threads });
  }

  /** Let it work for so long. */
  async slice(seconds: number): Promise<Slice> {
    this.#client.kill("SIGCONT");
    try {
      await sleep(SETTLE_MS);
      const before = this.#count();
      await sleep(seconds * 1000);
      const after = this.#count();
      return {
        seconds: after.seconds - before.seconds,
        connections: after.connections - before.connections,
        packets: packetsBetween(before.packets, after.packets),
        endsSeconds: after.endsSeconds - before.endsSeconds,
      };
    } finally {
      this.#client.kill("SIGSTOP");
      await sleep(SETTLE_MS);
    }
  }

  /** End the client, unless its host is gone already. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#client.kill("SIGKILL");
    } catch {
      // It ended with its host.
    }
    await this.#client.status;
    await this.#place[Symbol.asyncDispose]();
  }

  #count(): { seconds: number; connections: number; packets: Packets; endsSeconds: number } {
    const { server } = this.#scene;
    const counters = server.inside(() => Deno.readTextFileSync("/proc/thread-self/net/snmp"));
    return {
      seconds: performance.now() / 1000,
      connections: tcpCounter(counters, "PassiveOpens"),
      packets: packetsOf(server),
      endsSeconds: this.#threads.reduce((sum, thread) => sum + runSeconds(thread), 0),
    };
  }
}

/** A counter of the text of /proc/net/snmp: a line of names, and below it a line of numbers. */
export function tcpCounter(text: string, name: string): number {
  const [names, values] = text.split("\n").filter((line) => line.startsWith("Tcp:")).map((line) =>
    line.split(" ")
  );
  const value = Number(values?.[names?.indexOf(name) ?? -1]);
  if (!Number.isFinite(value)) throw new Error(`/proc/net/snmp has no counter ${name}`);
  return value;
}

/** The threads of a host's programs of this name, as directories. */
async function threadsOf(host: Host, name: string): Promise<readonly string[]> {
  const pids = (await host.out(["ip", "netns", "pids", host.namespace])).split("\n").filter((line) =>
    line !== ""
  );
  return pids.map((pid) => `/proc/${pid}`)
    .filter((directory) => textOf(`${directory}/comm`).trim() === name)
    .flatMap((directory) =>
      Array.from(Deno.readDirSync(`${directory}/task`), (thread) => `${directory}/task/${thread.name}`)
    );
}

/** Time on a processor, from the first number of schedstat, in nanoseconds (Documentation/scheduler/sched-stats). */
function runSeconds(thread: string): number {
  return Number(textOf(`${thread}/schedstat`).split(" ")[0]) / 1e9;
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // It has ended.
    return "";
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
