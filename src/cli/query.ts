/**
 * The verbs that ask the running daemon and print what it says: status, list, why, top. Where no daemon runs, `list` and
 * `why` read its state file.
 * @module
 */
import { ask, NoDaemonError, type Question } from "../control/client.ts";
import type {
  BanView,
  OffenceView,
  OutcomeView,
  SourceView,
  StatusView,
  StoryView,
} from "../control/views.ts";
import { EXIT, type ExitCode, messageOf, UserError } from "../errors.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { systemClock } from "../system/clock.ts";
import { formatLeft, formatMinute, formatTime } from "./format.ts";
import { LineBuffer } from "./line_buffer.ts";
import { StateFile } from "./state_file.ts";
import { formatTable } from "./table.ts";
import { hangingLine } from "./wrap.ts";

/** Where the daemon is and how its answer is printed. */
export interface QueryOptions {
  /** Path of the control socket. */
  readonly socket: string;
  /** Path of the daemon's state file. */
  readonly state: string;
  /** JSON instead of a table. */
  readonly json: boolean;
  /** Takes each line of the output. */
  readonly print: (line: string) => void;
  /** Takes what must not be mistaken for the answer. */
  readonly warn: (line: string) => void;
}

/** `portsnare status`. */
export async function status(options: QueryOptions): Promise<ExitCode> {
  for await (const data of ask(options.socket, { verb: "status" })) {
    // The daemon is of the same version and sends a StatusView for this verb.
    const view = data as StatusView;
    options.print(options.json ? JSON.stringify(view) : describeStatus(view));
  }
  return EXIT.ok;
}

/** `portsnare list`. */
export async function list(options: QueryOptions): Promise<ExitCode> {
  // The daemon sends a BanView for each ban.
  const bans = await askOrRead(
    options,
    () => collect<BanView>(options, { verb: "list" }),
    (file) => file.bans(),
  );
  if (options.json) printJson(bans, options);
  else if (bans.length === 0) options.print("No bans are in force.");
  else {
    const rows = bans.map((ban) => [
      ban.target,
      formatMinute(ban.since),
      formatLeft(ban.left),
      String(ban.offence),
      ban.reason,
    ]);
    options.print(formatTable(["ADDRESS", "SINCE", "LEFT", "TIMES", "REASON"], rows));
  }
  return EXIT.ok;
}

/** `portsnare top`. */
export async function top(options: QueryOptions): Promise<ExitCode> {
  // The daemon sends a SourceView for each source.
  const sources = await collect<SourceView>(options, { verb: "top" });
  if (options.json) printJson(sources, options);
  else if (sources.length === 0) options.print("No probes have been seen.");
  else {
    const rows = sources.map((source) => [
      source.address,
      String(source.probes),
      String(source.ports),
      formatMinute(source.last),
      source.blocked ? "yes" : "no",
      source.scans.join(", "),
    ]);
    options.print(formatTable(["ADDRESS", "PROBES", "PORTS", "LAST", "BAN", "SCANS"], rows));
  }
  return EXIT.ok;
}

/** `portsnare why ADDRESS`. */
export async function why(address: Address, options: QueryOptions): Promise<ExitCode> {
  // The daemon sends one StoryView for this verb.
  const stories = await askOrRead(
    options,
    () => collect<StoryView>(options, { verb: "why", address: formatAddress(address) }),
    (file) => [file.story(address)],
  );
  for (const story of stories) options.print(options.json ? JSON.stringify(story) : describeStory(story));
  return EXIT.ok;
}

/** The story of an address, for people. */
export function describeStory(story: StoryView): string {
  const lines = [`${story.address} is ${story.blocked ? "blocked" : "not blocked"}.`];
  if (story.exempt !== null) lines.push(`It is never banned: ${story.exempt}.`);
  if (story.standing !== null) lines.push(story.standing);
  for (const offence of story.offences) lines.push("", ...describeOffence(offence, story.address));
  if (story.pending.length > 0) {
    lines.push("", "Probes that count at this moment:", ...describeEvidence(story.pending));
  }
  if (story.offences.length === 0 && story.pending.length === 0) lines.push("Nothing is known of it.");
  return lines.join("\n");
}

function describeOffence(offence: OffenceView, address: string): readonly string[] {
  const end = offence.ended !== null
    ? `${offence.ended.cause} at ${formatTime(offence.ended.time)}`
    : offence.until === null
    ? "permanent"
    : `until ${formatTime(offence.until)}`;
  const of = offence.target === address ? "" : ` of ${offence.target}`;
  return [
    `Ban number ${offence.offence}${of}, made ${formatTime(offence.since)}, ${end}: ${offence.reason}`,
    ...describeEvidence(offence.evidence),
    ...describeOutcomes(offence.outcomes).map((line) => `  ${line}`),
    ...offence.undone.filter(isAction).map((outcome) => `  taken back: ${describeOutcome(outcome)}`),
  ];
}

/** What the actions of a ban did, for people. */
export function describeOutcomes(outcomes: readonly OutcomeView[]): readonly string[] {
  const actions = outcomes.filter(isAction);
  if (actions.length > 0 || outcomes.length === 0) return actions.map(describeOutcome);
  return ['nothing keeps it out: actions.firewall is "none", and there is no other action'];
}

/** The firewall "none" has nothing to do, which it always does. */
function isAction({ action }: OutcomeView): boolean {
  return action !== "none";
}

function describeOutcome({ action, ok, detail }: OutcomeView): string {
  return `${action}: ${ok ? "done" : "FAILED"}${detail && `: ${detail}`}`;
}

function describeEvidence(evidence: StoryView["pending"]): readonly string[] {
  return evidence.map((probe) =>
    `  ${formatTime(probe.time)} ${probe.scan} probe of ${probe.protocol} port ${probe.port}`
  );
}

/** What the daemon is doing, for people. */
function describeStatus(view: StatusView): string {
  const protocol = (name: string, p: StatusView["tcp"]): string =>
    `${name}: mode ${p.mode}, response ${p.response}${p.ports === "" ? "" : `, ports ${p.ports}`}`;
  const dismissed = Object.entries(view.dismissed).filter(([, count]) => count > 0);
  const lines = [
    `portsnare ${view.version}, process ${view.pid}, since ${formatTime(view.started)}`,
    `configuration: ${view.config.join(", ") || "built-in defaults"}`,
    `engine: ${view.engines.join(" and ")}${view.engineNote === null ? "" : ` (${view.engineNote})`}`,
    protocol("tcp", view.tcp),
    protocol("udp", view.udp),
    `packets: ${view.packets.trapped} trapped, ${view.packets.reported} reported, ${view.packets.lost} lost since the configuration was read`,
    ...view.unanswered.map(({ failures, last }) =>
      `kernel: ${failures} times without an answer, last: ${last}`
    ),
    ...(dismissed.length === 0
      ? []
      : [`no evidence: ${dismissed.map(([reason, count]) => `${count} ${reason}`).join(", ")}`]),
    `firewall: ${view.firewall.name}, ${view.firewall.health}`,
    `bans: ${view.bans.active} of at most ${view.bans.max} in force; ${view.bans.made} made, ${view.bans.failed} failed, ${view.bans.refused} refused since start`,
    `sources: ${view.sources.tracked} of at most ${view.sources.max} tracked; ${view.ignored} ignored addresses and prefixes`,
    `state: ${view.state}`,
  ].map((line) => hangingLine(line));
  if (view.protected.length > 0) {
    const rows = view.protected.map((entry) => [entry.address, String(entry.saved), entry.reason]);
    lines.push("", formatTable(["PROTECTED", "SAVED", "BECAUSE"], rows));
  }
  return lines.join("\n");
}

function printJson(rows: readonly unknown[], { print }: QueryOptions): void {
  const output = new LineBuffer(print);
  for (const row of rows) output.add(JSON.stringify(row));
  output.flush();
}

async function collect<T>(options: QueryOptions, question: Question): Promise<readonly T[]> {
  const rows: T[] = [];
  // The daemon is of the same version; the caller names the view that belongs to the verb.
  for await (const data of ask(options.socket, question)) rows.push(data as T);
  return rows;
}

/** What the daemon says, or what its state file says where none is running; then that is said, too. */
async function askOrRead<T>(
  options: QueryOptions,
  fromDaemon: () => Promise<T>,
  fromFile: (file: StateFile) => T,
): Promise<T> {
  try {
    return await fromDaemon();
  } catch (error) {
    if (!(error instanceof NoDaemonError)) throw error;
    const answer = readState(options.state, error, fromFile);
    options.warn(`${error.message}; this is from its state file ${options.state}`);
    return answer;
  }
}

function readState<T>(path: string, noDaemon: NoDaemonError, read: (file: StateFile) => T): T {
  try {
    using file = new StateFile(path, systemClock);
    return read(file);
  } catch (error) {
    const exitCode = error instanceof UserError ? error.exitCode : EXIT.unavailable;
    throw new UserError(`${noDaemon.message}\n${messageOf(error)}`, { exitCode, cause: error });
  }
}
