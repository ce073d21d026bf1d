/**
 * `portsnare replay`: who would have been banned, had the daemon seen this capture.
 *
 * The file is read three times, each time as a stream: which ports are open, who is a scanner, and what to tell. What a
 * scanner asked of open ports belongs to its scan, but only the second run knows who is one.
 * @module
 */
import { Reassembler } from "../capture/reassembly.ts";
import type { Config } from "../config/schema.ts";
import { decodePacket } from "../decode/decode.ts";
import { EXIT, type ExitCode, messageOf, UserError } from "../errors.ts";
import type { Address } from "../net/address.ts";
import { hostKey } from "../net/address.ts";
import { Coverage } from "./replay/coverage.ts";
import { eachFrame, type Tally } from "./replay/frames.ts";
import { readIgnored } from "./replay/ignored.ts";
import type { ListedPorts } from "./replay/listed_ports.ts";
import { OpenPorts } from "./replay/open_ports.ts";
import { jsonPrinter, type Out, textPrinter } from "./replay/printer.ts";
import { withSpooled } from "./replay/spool.ts";
import { Trial, type TrialOptions } from "./replay/trial.ts";

/** What is replayed, and how. */
export interface ReplayOptions {
  /** A capture file; `-` for standard input. */
  readonly capture: string;
  /** The addresses of the watched host. None: the error names the likely ones. */
  readonly local: readonly Address[];
  /** Its open ports; those that answer in the capture when not given. */
  readonly open?: ListedPorts;
  /** How to judge. */
  readonly config: Config;
  /** Whether programs read the output. */
  readonly json: boolean;
}

/**
 * Judge a capture.
 *
 * @throws UserError When it cannot be read; a damaged one is judged, and told, up to where it is damaged.
 */
export async function replay(options: ReplayOptions, out: Out): Promise<ExitCode> {
  const { capture } = options;
  if (capture !== "-" && (await isRegularFile(capture))) {
    return await replayFile(options, { path: capture, out });
  }
  return await withSpooled(capture, (path) => replayFile(options, { path, out }));
}

async function replayFile(
  { capture, config, local, open, json }: ReplayOptions,
  { path, out }: { readonly path: string; readonly out: Out },
): Promise<ExitCode> {
  const host = new OpenPorts(local, open);
  const coverage = new Coverage(local);
  const reassembler = new Reassembler();
  const first = await eachFrame(path, (frame) => {
    const whole = reassembler.add(frame, frame.time);
    if (whole === undefined) return;
    const packet = decodePacket(whole.bytes, whole.wireLength);
    host.learn(packet);
    coverage.take(packet);
  });
  refuseUnread(capture, first);
  if (local.length === 0) {
    const busiest = coverage.busiest();
    throw new UserError(
      "Cannot judge without --local and the addresses of the watched host" +
        (busiest === "" ? "" : `; most packets of this capture are to ${busiest}`),
      { exitCode: EXIT.usage },
    );
  }
  const ignored = await readIgnored(config.ignore);
  const scanners = await findScanners(path, { config, host, ignored, scanners: new Set() });
  const printer = json ? jsonPrinter(out) : textPrinter(out);
  const trial = new Trial({ config, host, ignored, scanners });
  const tally = await eachFrame(path, (frame) => {
    const finding = trial.take(frame);
    if (finding !== undefined) printer.finding(finding);
  });
  printer.summary({ packets: tally.packets, reports: trial.reports, notes: coverage.notes() });
  complain(capture, tally);
  return EXIT.ok;
}

async function findScanners(path: string, options: TrialOptions): Promise<ReadonlySet<number | string>> {
  const trial = new Trial(options);
  const scanners = new Set<number | string>();
  await eachFrame(path, (frame) => {
    const decision = trial.take(frame)?.decision;
    if (decision?.verdict !== "block" && decision?.verdict !== "observe") return;
    // Bounded like the reports; beyond that a scanner's probes of open ports are not told.
    if (scanners.size < options.config.detect.max_sources) scanners.add(hostKey(decision.probe.source));
  });
  return scanners;
}

/** Of a file that holds nothing there is nothing to tell. */
function refuseUnread(capture: string, { packets, fault }: Tally): void {
  if (fault === undefined || packets > 0) return;
  throw new UserError(`Cannot read the capture ${capture}: ${fault.message}`, { exitCode: EXIT.badData });
}

function complain(capture: string, tally: Tally): void {
  if (tally.fault !== undefined) {
    throw new UserError(
      `Cannot read the capture ${capture} beyond byte ${tally.fault.offset}: ${tally.fault.message}; ` +
        `the ${tally.packets} packets before it were judged`,
      { exitCode: EXIT.badData },
    );
  }
  if (tally.unsupported > 0) {
    throw new UserError(
      `Cannot read ${tally.unsupported} of the ${tally.packets} packets of the capture ${capture}: ` +
        `link type ${tally.unsupportedType} is not known; expected Ethernet, Linux cooked, raw IP, PPP or null`,
      { exitCode: EXIT.badData },
    );
  }
}

async function isRegularFile(path: string): Promise<boolean> {
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) throw new Error("it is a directory");
    return info.isFile;
  } catch (cause) {
    throw new UserError(`Cannot read the capture ${path}: ${messageOf(cause)}`, {
      exitCode: EXIT.badData,
      cause,
    });
  }
}
