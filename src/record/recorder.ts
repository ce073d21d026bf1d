/**
 * Stage "remember": writes down what happened, in the history file for fail2ban and in the log for people and machines.
 *
 * The pipeline has saved the state before, so that a ban that was written down survives anything.
 * @module
 */
import { formatAddress } from "../net/address.ts";
import type { Clock } from "../system/clock.ts";
import { alertLines, probeLevel, probeLineCount } from "./alert.ts";
import type { AppendFile } from "./append_file.ts";
import { eventJson } from "./event_json.ts";
import { banResult, type BlockEvent, type Level, type ProbeEvent, type ScanEvent } from "./event.ts";
import { formatHistoryLine, OBSERVED_LINES, OffenceBook } from "./history.ts";
import type { Log } from "./log.ts";
import { failuresText, LineLimiter, type Suppressed, suppressedText } from "./rate_limit.ts";

/** That the history left something out is told at most this often. */
const UNWRITTEN_MS = 60_000;

/** The keys of the configuration that the recorder follows. */
export interface RecorderLimits {
  /** Lines of one source in an interval (`log.burst`). */
  readonly burst: number;
  /** `log.interval`. */
  readonly intervalSeconds: number;
  /** How long an observed source is not told again in the history (`detect.window`). */
  readonly windowSeconds: number;
  /** How many observed sources are remembered (`detect.max_sources`). */
  readonly maxSources: number;
}

/** Options of {@link Recorder}. */
export interface RecorderOptions {
  /** Left out in a dry run: nothing may reach fail2ban then. */
  readonly history?: Pick<AppendFile, "append">;
  /** Where the lines go. */
  readonly log: Pick<Log, "write" | "isEnabled" | "format">;
  /** For intervals and the time of notices. */
  readonly clock: Clock;
  /** See {@link RecorderLimits}. */
  readonly limits: RecorderLimits;
}

/** What became of the history. Why it could not be written is told in the log. */
export interface RecordResult {
  /** Whether every line so far is in the file; otherwise some wait for the next attempt. */
  readonly isWritten: boolean;
}

/** Writes events down. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #offences: OffenceBook;
  #probes: LineLimiter;
  /** Bans that fail: every further probe of the scanner would have another line on another attempt. */
  #failures: LineLimiter;
  #unwrittenToldMs = -Infinity;
  #historyError: string | undefined;
  #isWritten = true;

  /** Makes the history file when it is missing: without it fail2ban, with all its jails, does not start. */
  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#offences = new OffenceBook(options.limits);
    this.#probes = new LineLimiter(options.limits);
    this.#failures = new LineLimiter(options.limits);
    this.#writeHistory([]);
  }

  /** Write a batch down: first the history, in one write, then the log. Never throws for a full disk or a dead log. */
  record(events: readonly ScanEvent[]): RecordResult {
    const entries = events.map((event) => this.#offences.entryOf(event)).filter((entry) =>
      entry !== undefined
    );
    if (entries.length > 0) this.#writeHistory(entries.map(formatHistoryLine));
    for (const event of events) if (this.#mayLog(event)) this.#log(event);
    return { isWritten: this.#isWritten };
  }

  /**
   * To be called each second: writes due summaries, tries again what waits for the disk, and makes the history file anew
   * when somebody took it away.
   *
   * @returns Whether lines that waited have now been written.
   */
  tick(): boolean {
    const now = this.#options.clock.monotonicMs();
    this.#logSummaries(this.#probes.takeDue(now), this.#failures.takeDue(now));
    this.#tellUnwritten(now);
    const wasWritten = this.#isWritten;
    this.#writeHistory([]);
    return !wasWritten && this.#isWritten;
  }

  /** Follow another configuration. Summaries of what was counted under the old one are written at once. */
  reconfigure(limits: RecorderLimits): void {
    this.#tellLeftOut();
    this.#offences.setLimits(limits);
    this.#probes = new LineLimiter(limits);
    this.#failures = new LineLimiter(limits);
    // The file may be another one by now, and has to be there.
    this.#writeHistory([]);
  }

  /** Write the summaries of everything that was left out so far, and what waits for the history. */
  close(): void {
    this.#tellLeftOut();
    this.#writeHistory([]);
  }

  #tellLeftOut(): void {
    this.#logSummaries(this.#probes.takeAll(), this.#failures.takeAll());
  }

  /** What tells of a ban is never left out, unless bans of this source fail again and again. */
  #mayLog(event: ScanEvent): boolean {
    switch (event.type) {
      case "probe":
        return this.#mayLogProbe(event);
      case "block":
        return banResult(event.outcomes) !== "failed" ||
          this.#failures.allow(counted(event, event.outcomes.length), this.#options.clock.monotonicMs());
      case "release":
      case "releases":
      case "notice":
        return true;
    }
  }

  /** What the level hides does not use up anybody's lines. */
  #mayLogProbe(event: ProbeEvent): boolean {
    const { log, clock } = this.#options;
    const { verdict, probe } = event.decision;
    if (!log.isEnabled(probeLevel(verdict))) return false;
    if (verdict === "block" && this.#failures.hasRoom(formatAddress(probe.source))) return true;
    return this.#probes.allow(
      counted(event, log.format === "json" ? 1 : probeLineCount(event)),
      clock.monotonicMs(),
    );
  }

  #log(event: ScanEvent): void {
    const { log } = this.#options;
    const lines = alertLines(event);
    if (log.format === "text") {
      for (const line of lines) log.write(line.level, line.text);
      return;
    }
    const level = loudest(lines.map((line) => line.level));
    if (log.isEnabled(level)) log.write(level, eventJson(event));
  }

  #logSummaries(probes: readonly Suppressed[], failures: readonly Suppressed[]): void {
    for (const suppressed of probes) this.#logSummary("notice", suppressed, suppressedText(suppressed));
    for (const suppressed of failures) this.#logSummary("err", suppressed, failuresText(suppressed));
  }

  #logSummary(level: "notice" | "err", suppressed: Suppressed, text: string): void {
    const { log, clock } = this.#options;
    if (log.format === "text") return log.write(level, text);
    const { source = null, probes, ports, seconds } = suppressed;
    const what = level === "err" ? "failure" : "probe";
    log.write(
      level,
      JSON.stringify({ type: "suppressed", time: clock.now(), what, source, probes, ports, seconds }),
    );
  }

  /** Says once that the history cannot be written, and once that it can be again. */
  #writeHistory(lines: readonly string[]): void {
    const { history } = this.#options;
    if (history === undefined) return;
    const result = history.append(lines);
    const error = result.ok ? undefined : result.error;
    if (error !== undefined && this.#historyError === undefined) {
      this.#notice("err", `${error}; fail2ban is not told of bans until this is put right`);
    } else if (error === undefined && this.#historyError !== undefined) {
      this.#notice("notice", "The history file can be written again");
    }
    this.#historyError = error;
    this.#isWritten = result.ok && !result.waiting;
  }

  /** Says now and then that observed sources are too many for the history. */
  #tellUnwritten(nowMs: number): void {
    if (nowMs - this.#unwrittenToldMs < UNWRITTEN_MS) return;
    const leftOut = this.#offences.takeLeftOut();
    if (leftOut === 0) return;
    this.#unwrittenToldMs = nowMs;
    const { atOnce, aSecond } = OBSERVED_LINES;
    this.#notice(
      "warning",
      `${leftOut} offences of observed sources were left out of the history, which takes ${atOnce} of them at once and ` +
        `${aSecond} a second: so many sources are forged`,
    );
  }

  #notice(level: Level, message: string): void {
    this.#log({ type: "notice", time: this.#options.clock.now(), level, message });
  }
}

function counted(
  event: ProbeEvent | BlockEvent,
  lines: number,
): { readonly source: string; readonly port: number; readonly lines: number } {
  const { source, port } = event.decision.probe;
  return { source: formatAddress(source), port, lines };
}

function loudest(levels: readonly Level[]): Level {
  const order: readonly Level[] = ["err", "warning", "notice", "info", "debug"];
  return order.find((level) => levels.includes(level)) ?? "debug";
}
