/**
 * What the sender is asked to send, and how it is asked.
 * @module
 */
import { DENO } from "../../tests/lab/deno.ts";
import type { Host } from "../../tests/lab/lab.ts";
import { pinned } from "../measure/cpus.ts";

/** Who sends to whom. Sources are forged: the sending host answers for the whole network that they are of. */
interface Route {
  /** The source, or the first of them. */
  readonly source: string;
  readonly dest: string;
}

/** Traffic of one kind; all of it SYN packets. */
export type Job =
  & Route
  & (
    | {
      readonly kind: "beat";
      readonly openPort: number;
      /** Between two packets, in milliseconds. */
      readonly beatMs: number;
      /** Packets to the open port. */
      readonly beats: number;
      /** So many of them come before the first trapped port. */
      readonly trappedAfter: number;
      readonly trapPorts: readonly number[];
    }
    | {
      readonly kind: "sweep";
      /** How many addresses from `source` on. */
      readonly sources: number;
      readonly ports: readonly number[];
      /** `port`: all sources ask for the first port, then all for the second. `source`: one source after the other. */
      readonly by: "port" | "source";
      /** How long all of it takes; 0: as fast as it goes. */
      readonly seconds: number;
    }
    | {
      readonly kind: "flood";
      /** Sources are spread over 2 to the power of this, from `source` on. */
      readonly sourceBits: number;
      readonly ports: readonly number[];
      readonly seconds: number;
    }
  );

/** A busy machine stretches a job: a sender that is held up does not catch up. */
const SECONDS = 400;

/** What was sent. */
export interface Sent {
  readonly packets: number;
  /** When the first packet was about to go, in milliseconds since the epoch. */
  readonly begunMs: number;
  /** When the last packet was out. */
  readonly endedMs: number;
}

/** Send from this host, and wait until all of it is sent. */
export async function send(host: Host, job: Job): Promise<Sent> {
  const [sent] = await sendEach(host, [job]);
  if (sent === undefined) throw new Error("The sender did not say what it sent");
  return sent;
}

/**
 * The same for one job after the other, with a pause in between, so that each is over before the next begins.
 *
 * @param undisturbed Keep the sender to one processor, in real time: a beat is then a beat, whatever else this machine does.
 */
export async function sendEach(
  host: Host,
  jobs: readonly Job[],
  { undisturbed = false }: { readonly undisturbed?: boolean } = {},
): Promise<readonly Sent[]> {
  const script = new URL("./send.ts", import.meta.url).pathname;
  const sender = [DENO, "run", "-A", "--cached-only", script, JSON.stringify(jobs)];
  const argv = undisturbed ? pinned("client", ["chrt", "--rr", "1", ...sender]) : sender;
  // Printed by send.ts, which is typed.
  return JSON.parse(await host.out(argv, { seconds: SECONDS })) as readonly Sent[];
}
