/**
 * portsnare: the built executable where there is one, the sources otherwise.
 * @module
 */
import { ask } from "../../src/control/client.ts";
import { VERSION } from "../../src/version.ts";
import { configText, Daemon } from "../../tests/lab/daemon.ts";
import type { Host } from "../../tests/lab/lab.ts";
import { clearFirewall, type Contestant, Processes, type Running } from "./contestant.ts";

const EXECUTABLE = new URL("../../dist/portsnare", import.meta.url).pathname;

/** Sections of the configuration, their keys, their values. */
type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What is changed of the default configuration, besides `response = "block"` and where the files are. */
export interface PortsnareOptions {
  readonly engine: "kernel" | "raw";
  /** Anything else that a case wants otherwise; not the section `log`. */
  readonly changes?: Sections;
}

/** The parts of the daemon's status that are read here. */
interface Status {
  readonly packets: { readonly reported: number; readonly lost: number };
  readonly bans: { readonly active: number };
}

/** portsnare with one of its engines. `remark`: what its name in the tables says about the changes. */
export function portsnare(
  { remark, ...options }: PortsnareOptions & { readonly remark?: string },
): Contestant {
  return {
    name: [`portsnare ${options.engine}`, ...remark === undefined ? [] : [remark]].join(", "),
    version: () => Promise.resolve(`${VERSION} (${program()[0] === EXECUTABLE ? "executable" : "sources"})`),
    diskBytes: async () => program()[0] === EXECUTABLE ? (await Deno.stat(EXECUTABLE)).size : undefined,
    start: async (host) =>
      await startPortsnare(host, {
        ...options,
        directory: await Deno.makeTempDir({ prefix: "portsnare-bench-" }),
      }),
  };
}

/** Start it with its files in this directory, which is removed with it unless it is to be `kept`, and the rules as well. */
export async function startPortsnare(
  host: Host,
  { directory, kept = false, ...options }: PortsnareOptions & {
    readonly directory: string;
    readonly kept?: boolean;
  },
): Promise<Running> {
  const config = `${directory}/config.toml`;
  await Deno.writeTextFile(config, configOf(directory, options));
  const logFile = `${directory}/log`;
  // What an earlier one said there is not its word.
  await Deno.writeTextFile(logFile, "");
  const processes = new Processes(host);
  await processes.launch({
    argv: [...program(), "run", "-c", config],
    logFile,
    ready: "active and listening",
    readyLines: 1,
  });
  await processes.inRealTime();
  const socket = `${directory}/control.sock`;
  return {
    startMs: processes.startMs,
    cpuSeconds: () => processes.group.cpuSeconds(),
    kernelSeconds: () => processes.group.kernelSeconds(),
    wakes: () => processes.group.wakes(),
    rssKiB: () => processes.group.rssKiB(),
    banned: async () => (await status(socket)).bans.active,
    lastBannedMs: async () => await lastSince(socket) * 1000,
    counted: async () => (await status(socket)).packets,
    [Symbol.asyncDispose]: async () => {
      await processes[Symbol.asyncDispose]();
      if (kept) return;
      await clearFirewall(host);
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** How it is run. */
export function program(): readonly string[] {
  try {
    Deno.statSync(EXECUTABLE);
    return [EXECUTABLE];
  } catch {
    return Daemon.program();
  }
}

function configOf(directory: string, { engine, changes = {} }: PortsnareOptions): string {
  const { detect = {}, ...others } = changes;
  return configText(directory, {
    tcp: { response: "block" },
    udp: { response: "block" },
    detect: { engine, ...detect },
    ...others,
    // As it is under systemd.
    log: { format: "text", target: "stdout", level: "notice", burst: 20 },
  });
}

async function status(socket: string): Promise<Status> {
  for await (const data of ask(socket, { verb: "status" })) {
    // The daemon's own StatusView; these fields are numbers.
    return data as Status;
  }
  throw new Error("The daemon gave no status");
}

/** When the newest of its bans was made, in seconds since the epoch. */
async function lastSince(socket: string): Promise<number> {
  let last = -Infinity;
  for await (const data of ask(socket, { verb: "list" })) {
    // The daemon's own BanView; this field is a number.
    last = Math.max(last, (data as { readonly since: number }).since);
  }
  return last;
}
