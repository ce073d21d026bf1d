/**
 * What a host sees on the wire, written to a file by tcpdump.
 * @module
 */
import { type Host, until } from "../../tests/lab/lab.ts";

/** A capture that goes on until it is finished. */
export interface Capture extends AsyncDisposable {
  /** End it when everything was written. @returns The file, which is removed with the capture. */
  finish(): Promise<string>;
}

/** Capture on a host's interface whatever matches the filter. */
export async function captureOn(host: Host, filter: string): Promise<Capture> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-bench-" });
  const path = `${directory}/packets.pcap`;
  const said = `${directory}/said`;
  const tcpdump = [
    "tcpdump",
    "-Z",
    "root",
    "-i",
    host.interface,
    "-s",
    "96",
    "-B",
    "16384",
    "-U",
    "-w",
    path,
    filter,
  ];
  const child = host.spawn(["/bin/sh", "-c", 'exec "$@" 2>"$0"', said, ...tcpdump], {
    stdout: "null",
    stderr: "null",
  });
  await until(
    "tcpdump captures",
    async () => (await Deno.readTextFile(said).catch(() => "")).includes("listening on"),
  );
  return {
    async finish(): Promise<string> {
      await settled(path);
      child.kill("SIGINT");
      await child.status;
      const dropped = /(\d+) packets? dropped by kernel/.exec(await Deno.readTextFile(said))?.[1];
      if (dropped !== "0") throw new Error(`tcpdump lost packets: ${await Deno.readTextFile(said)}`);
      return path;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // It was finished.
      }
      await child.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** tcpdump's kernel buffer is handed over after this at the latest (its own time-out, and some more). */
const BLOCK_MS = 1200;

/** Wait until the file has stopped growing. */
async function settled(path: string): Promise<void> {
  let before = -1;
  await until("the capture file stops growing", async () => {
    await new Promise((resolve) => setTimeout(resolve, BLOCK_MS));
    const { size } = await Deno.stat(path);
    const same = size === before;
    before = size;
    return same;
  });
}
