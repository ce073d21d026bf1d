/**
 * PortSentry, whichever version, in a place of its own.
 * @module
 */
import { DENO } from "../../tests/lab/deno.ts";
import { type Host, until } from "../../tests/lab/lab.ts";
import { clearFirewall, Processes, type Running } from "./contestant.ts";
import { Place } from "./debian_tree.ts";

/** How one version is run. */
export interface PortSentryOptions {
  /** The tree that has it. */
  readonly tree: string;
  /** Its configuration. */
  readonly files: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  /** In how many processes it says that it is ready. */
  readonly daemons: number;
}

/** Both versions end with this; the older one calls itself "PortSentry", the newer one "Portsentry". */
const READY = "is now active and listening.";

/** Start it. Its syslog messages go to a file: a full log socket would hold it up. */
export async function startPortSentry(host: Host, options: PortSentryOptions): Promise<Running> {
  const place = await Place.create(options.tree, options.files);
  const logFile = `${place.directory}/log`;
  const sink = new URL("./syslog_file.ts", import.meta.url).pathname;
  const log = host.spawn([
    DENO,
    "run",
    "-A",
    "--unstable-net",
    "--cached-only",
    sink,
    place.logSocket,
    logFile,
  ]);
  await until(
    "the log socket is there",
    async () => (await exists(place.logSocket)) && (await exists(logFile)),
  );
  const processes = new Processes(host);
  await processes.launch({
    argv: place.argv(options.argv),
    logFile,
    ready: READY,
    readyLines: options.daemons,
    begunFile: place.begunFile,
  });
  return {
    startMs: processes.startMs,
    cpuSeconds: () => processes.group.cpuSeconds(),
    kernelSeconds: () => processes.group.kernelSeconds(),
    wakes: () => processes.group.wakes(),
    rssKiB: () => processes.group.rssKiB(),
    banned: () => dropRules(host),
    counted: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: async () => {
      await processes[Symbol.asyncDispose]();
      log.kill("SIGKILL");
      await log.status;
      await clearFirewall(host);
      await place[Symbol.asyncDispose]();
    },
  };
}

/** The sources that its rules drop; both daemons of one version may have made one for the same. */
async function dropRules(host: Host): Promise<number> {
  const sources = new Set<string>();
  for (const program of ["iptables", "ip6tables"]) {
    for (const [, source = ""] of (await host.out([program, "-S", "INPUT"])).matchAll(/-s (\S+) -j DROP/g)) {
      sources.add(source);
    }
  }
  return sources.size;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
