/**
 * Runs `replay` in a test and gives what it printed, as values.
 * @module
 */
import { replay } from "../../src/cli/replay.ts";
import { type Config, defaultConfig } from "../../src/config/schema.ts";
import { EXIT, UserError } from "../../src/errors.ts";
import { parseAddress } from "../../src/net/address.ts";
import type { ListedPorts } from "../../src/cli/replay/listed_ports.ts";
import { ethernet, pcapFile } from "./packets.ts";

/** A source in the summary. */
export interface ReplayedSource {
  readonly address: string;
  readonly scans: Readonly<Record<string, number>>;
  readonly ports: number;
  readonly first: number;
  readonly last: number;
  readonly decision: string;
  readonly bans: number;
}

/** What a replay printed. */
export interface Replayed {
  readonly probes: readonly Readonly<Record<string, unknown>>[];
  readonly blocks: readonly Readonly<Record<string, unknown>>[];
  readonly packets: number;
  readonly probeCount: number;
  readonly sources: readonly ReplayedSource[];
  /** What it told about the capture. */
  readonly notes: readonly string[];
  /** The exit code, and the message for standard error. */
  readonly code: number;
  readonly error: string;
}

/** The defaults with blocking on, as replay without `-c`. */
export function blockingConfig(change: (config: Config) => Partial<Config> = () => ({})): Config {
  const base = defaultConfig();
  const config = {
    ...base,
    tcp: { ...base.tcp, response: "block" },
    udp: { ...base.udp, response: "block" },
  } as const;
  return { ...config, ...change(config) };
}

/** Replay a file. */
export async function replayed(path: string, options: {
  readonly local: string;
  readonly open?: ListedPorts;
  readonly config?: Config;
}): Promise<Replayed> {
  const lines: Record<string, unknown>[] = [];
  const { open, config = blockingConfig() } = options;
  const local = options.local.split(",").map(parseAddress).filter((address) => address !== undefined);
  let code: number = EXIT.ok;
  let error = "";
  try {
    const verb = { capture: path, local, config, json: true, ...(open === undefined ? {} : { open }) };
    code = await replay(verb, (line) => lines.push(JSON.parse(line)));
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    code = thrown.exitCode;
    error = thrown.message;
  }
  const of = (type: string) => lines.filter((line) => line["type"] === type);
  const [summary] = of("summary");
  return {
    probes: of("probe"),
    blocks: of("block"),
    packets: Number(summary?.["packets"]),
    probeCount: Number(summary?.["probes"]),
    // The summary's form is what these tests are about; a field that is missing shows up in their comparisons.
    sources: (summary?.["sources"] ?? []) as ReplayedSource[],
    notes: (summary?.["notes"] ?? []) as string[],
    code,
    error,
  };
}

/** Replay IP packets, a millisecond apart unless they say when. */
export async function replayedPackets(
  packets: readonly (Uint8Array | { readonly time: number; readonly bytes: Uint8Array })[],
  options: Parameters<typeof replayed>[1],
): Promise<Replayed> {
  const records = packets.map((packet, index) =>
    packet instanceof Uint8Array
      ? { time: 1_800_000_000 + index / 1000, bytes: ethernet(packet) }
      : { time: packet.time, bytes: ethernet(packet.bytes) }
  );
  return await replayedBytes(pcapFile(records), options);
}

/** Replay the bytes of a capture file. */
export async function replayedBytes(
  file: Uint8Array,
  options: Parameters<typeof replayed>[1],
): Promise<Replayed> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, file);
    return await replayed(path, options);
  } finally {
    await Deno.remove(path);
  }
}
