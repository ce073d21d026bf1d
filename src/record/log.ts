/**
 * The log of the daemon: lines with a level, to wherever the configuration and the surroundings say.
 * @module
 */
import { configureSync, getLogger, type Logger, type LogRecord } from "@logtape/logtape";
import { systemClock } from "../system/clock.ts";
import { eventJson } from "./event_json.ts";
import type { Level } from "./event.ts";
import { type ByteWriter, LineStream } from "./line_stream.ts";
import { chooseTarget, IDENTITY, logSurroundings, type LogTarget, type WantedTarget } from "./log_target.ts";
import { SEVERITY, Syslog } from "./syslog.ts";

/** How often lines that wait for syslog are tried again, in milliseconds: while nobody is there, while it reads. */
const RETRY_MS = 1000;
const BUSY_MS = 50;
/** A reader that takes no line for so long, in milliseconds, does not keep the daemon from ending. */
const FLUSH_MS = 2000;
const CATEGORY = "portsnare";
const SYSLOG_PATH = "/dev/log";

/** What the configuration says of the log. */
export interface LogSettings {
  /** Lines below this are not written. */
  readonly level: Level;
  /** Text for people or JSON for machines. */
  readonly format: "text" | "json";
  /** Where to. */
  readonly target: WantedTarget;
}

/** Options of {@link openLog}. */
export interface LogOptions extends LogSettings {
  /** The name in syslog; default: `portsnare`. */
  readonly identity?: string;
  /** The socket of syslog; default: `/dev/log`. */
  readonly syslogPath?: string;
  /** Default: standard output. */
  readonly stdout?: ByteWriter;
  /** `$JOURNAL_STREAM`. Default: there is none. */
  readonly journalStream?: string | undefined;
}

/** Where one kind of target keeps its lines. */
interface Sink {
  write(level: Level, line: string): void;
  readonly lost: number;
  flush(): Promise<void>;
  close(): void;
}

/** The open log. One at a time in a process: opening another takes its place. */
export class Log implements AsyncDisposable {
  #options: LogOptions;
  #target: LogTarget;
  /** Every sink so far: one that is not written to any more may still have lines to deliver. */
  readonly #sinks = new Map<LogTarget, Sink>();
  readonly #logger: Logger;

  /** Made by {@link openLog}. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#target = targetOf(options);
    this.#logger = this.#configure();
  }

  /** Where lines go. */
  get target(): LogTarget {
    return this.#target;
  }

  /** Whether a line is text or JSON. */
  get format(): "text" | "json" {
    return this.#options.format;
  }

  /** Follow another configuration. Lines that wait still go where they were meant to go. */
  reconfigure(settings: LogSettings): void {
    this.#options = { ...this.#options, ...settings };
    this.#target = targetOf(this.#options);
  }

  /** Lines that were lost because nobody took them, ever. */
  get lost(): number {
    return this.#sinks.values().reduce((sum, sink) => sum + sink.lost, 0);
  }

  /** Whether a line of this level would be written. */
  isEnabled(level: Level): boolean {
    return SEVERITY[level] <= SEVERITY[this.#options.level];
  }

  /** Write one line, which the caller has escaped. Never waits and never throws. */
  write(level: Level, line: string): void {
    if (!this.isEnabled(level)) return;
    const properties = { level, line };
    switch (level) {
      case "err":
        return this.#logger.error("{line}", properties);
      case "warning":
        return this.#logger.warn("{line}", properties);
      case "notice":
      case "info":
        return this.#logger.info("{line}", properties);
      case "debug":
        return this.#logger.debug("{line}", properties);
    }
  }

  /** Resolves when every line so far has left the process or is lost. */
  async flush(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.flush()));
  }

  /** Write what is left, then close. Where nobody reads, what is left is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FLUSH_MS));
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
    for (const sink of this.#sinks.values()) sink.close();
  }

  #sink(): Sink {
    const sink = this.#sinks.get(this.#target) ?? this.#openSink();
    this.#sinks.set(this.#target, sink);
    return sink;
  }

  #openSink(): Sink {
    const { syslogPath: path = SYSLOG_PATH, identity = IDENTITY, stdout = Deno.stdout } = this.#options;
    const lossText = (lines: number): string => lossLine(lines, this.format);
    return this.#target === "syslog"
      ? syslogSink(new Syslog({ path, identity, pid: Deno.pid, clock: systemClock, lossText }))
      : streamSink(stdout, { lossText, prefix: this.#target === "journal" });
  }

  #configure(): Logger {
    configureSync({
      reset: true,
      sinks: { out: (record) => this.#take(record) },
      loggers: [
        { category: CATEGORY, sinks: ["out"], lowestLevel: "debug" },
        { category: ["logtape", "meta"], sinks: ["out"], lowestLevel: "error" },
      ],
    });
    return getLogger(CATEGORY);
  }

  #take(record: LogRecord): void {
    const { level, line } = record.properties;
    if (isLevel(level) && typeof line === "string") this.#sink().write(level, line);
    else this.#sink().write("err", record.message.map(String).join(""));
  }
}

/** Open the log. It takes the place of the one that was open before. */
export function openLog(options: LogOptions): Log {
  return new Log(options);
}

function targetOf(options: LogOptions): LogTarget {
  const { journalStream, syslogPath = SYSLOG_PATH, identity = IDENTITY } = options;
  return chooseTarget(options.target, logSurroundings({ journalStream, syslogPath, identity }));
}

function isLevel(value: unknown): value is Level {
  return typeof value === "string" && Object.hasOwn(SEVERITY, value);
}

function streamSink(
  writer: ByteWriter,
  options: { readonly lossText: (lines: number) => string; readonly prefix: boolean },
): Sink {
  const line = (level: Level, text: string): string => options.prefix ? `<${SEVERITY[level]}>${text}` : text;
  const stream = new LineStream(writer, (lines) => line("warning", options.lossText(lines)));
  return {
    write: (level, text) => stream.write(line(level, text)),
    get lost() {
      return stream.lost;
    },
    flush: () => stream.flush(),
    close: () => {},
  };
}

function syslogSink(syslog: Syslog): Sink {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const retryLater = (): void => {
    if (syslog.waiting === 0 || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      syslog.retry();
      retryLater();
    }, syslog.isBusy ? BUSY_MS : RETRY_MS);
    Deno.unrefTimer(Number(timer));
  };
  return {
    write: (level, text) => {
      syslog.write(level, text);
      retryLater();
    },
    get lost() {
      return syslog.lost;
    },
    flush: () => {
      syslog.retry();
      return Promise.resolve();
    },
    close: () => {
      clearTimeout(timer);
      syslog[Symbol.dispose]();
    },
  };
}

function lossLine(lines: number, format: "text" | "json"): string {
  const message = `${lines} log lines were lost because nobody read them in time`;
  return format === "text"
    ? `adminalert: ${message}`
    : eventJson({ type: "notice", time: systemClock.now(), level: "warning", message });
}
