/**
 * What an attacker of the lab does, and what the kernel and the daemon then hold against them.
 * @module
 */
import type { StatusView } from "../../src/control/views.ts";
import type { Daemon } from "./daemon.ts";
import { type Host, until } from "./lab.ts";
import { RawSender } from "./raw_sender.ts";

const TCP = 6;

/** Blocking for both protocols, the rest as it is by default. */
export const BLOCKING = { tcp: { response: "block" }, udp: { response: "block" } } as const;

/** A quick SYN scan of closed ports in the scanner's own name; nmap would wait for answers that never come. */
export function scan(from: Host, to: string, first = 500, count = 21): void {
  const source = to.includes(":") ? from.ipv6 : from.ipv4;
  forge(from, { source, dest: to, ports: Array.from({ length: count }, (_, index) => first + index) });
}

/** SYNs to closed ports that claim to come from somebody. */
export function forge(
  from: Host,
  options: { readonly source: string; readonly dest: string; readonly ports: readonly number[] },
): void {
  from.inside(() => {
    using sender = new RawSender();
    const family = options.source.includes(":") ? 6 : 4;
    for (const destPort of options.ports) {
      sender.send({ family, source: options.source, dest: options.dest, protocol: TCP, destPort });
    }
  });
}

/** Wait for the ban of a source. */
export async function banOf(daemon: Daemon, source: string, seconds = 15): Promise<void> {
  await daemon.line(
    `the ban of ${source}`,
    (line) => line["type"] === "block" && line["source"] === source && line["result"] === "made",
    seconds,
  );
}

/** The single addresses that the kernel drops everything from. */
export async function bannedInKernel(host: Host): Promise<readonly string[]> {
  const found: string[] = [];
  for (const set of ["banned4", "banned6"]) {
    const { code, stdout } = await host.run(["nft", "-j", "list", "set", "inet", "portsnare", set]);
    if (code !== 0) continue;
    found.push(...[...stdout.matchAll(/"val": "([0-9a-f.:]+)"/g)].map((match) => match[1] ?? ""));
  }
  return found.toSorted();
}

/** The targets that the daemon says are banned. */
export async function bannedByDaemon(daemon: Daemon): Promise<readonly string[]> {
  const result = await daemon.cli("list", "--json");
  if (result.code !== 0) throw new Error(`list: exit ${result.code}: ${result.stderr}`);
  const lines = result.stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => String(JSON.parse(line).target)).toSorted();
}

/** What `status --json` says. */
export async function statusOf(daemon: Daemon): Promise<StatusView> {
  const result = await daemon.cli("status", "--json");
  if (result.code !== 0) throw new Error(`status: exit ${result.code}: ${result.stderr}`);
  return JSON.parse(result.stdout);
}

/** What a process holds. */
export async function holdings(
  pid: number,
): Promise<{ readonly descriptors: number; readonly residentKb: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  let descriptors = 0;
  for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) descriptors++;
  return { descriptors, residentKb: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) };
}

/** What was used stays resident until the collector has come by, some ten seconds after the process was last busy. */
const COLLECTION_SECONDS = 60;

/**
 * Wait until a process holds no more memory than this.
 *
 * @throws When it still does after a minute; the message says how much.
 */
export async function untilResidentBelow(pid: number, maxKb: number): Promise<void> {
  let residentKb = 0;
  await until("the memory is given back", async () => {
    residentKb = (await holdings(pid)).residentKb;
    return residentKb < maxKb;
  }, COLLECTION_SECONDS).catch((error: unknown) => {
    throw new Error(`${residentKb} KiB are resident, ${maxKb} were to be enough`, { cause: error });
  });
}
