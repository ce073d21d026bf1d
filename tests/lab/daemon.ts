/**
 * The daemon as a process in a host of the lab, with its own files, and what it said.
 * @module
 */
import { DENO } from "./deno.ts";
import { DEADLINE_SECONDS, type Host, type Result, until } from "./lab.ts";

/** A line of the daemon's JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How the daemon is started. */
export interface DaemonOptions {
  /** TOML that is put behind the lab's own paths. Sections may be repeated here; keys may not. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** More arguments of `run`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Reuse the files of an earlier daemon. */
  readonly directory?: string;
  /** A command that runs the daemon, and its verbs, as the command given behind it. */
  readonly within?: readonly string[];
}

/** A running daemon. */
export class Daemon implements AsyncDisposable {
  /** Where its configuration, state, history and socket are. */
  readonly directory: string;
  readonly process: Deno.ChildProcess;
  /** Every JSON line so far. */
  readonly log: LogLine[] = [];
  /** What was printed that is not JSON. */
  readonly text: string[] = [];
  readonly #host: Host;
  readonly #within: readonly string[];
  readonly #reading: Promise<unknown>;
  #ended = false;

  private constructor(
    host: Host,
    process: Deno.ChildProcess,
    options: { readonly directory: string; readonly within: readonly string[] },
  ) {
    this.#host = host;
    this.directory = options.directory;
    this.process = process;
    this.#within = options.within;
    this.#reading = Promise.all([this.#read(process.stdout), this.#read(process.stderr)]);
    void process.status.then(() => this.#ended = true);
  }

  /** The program under test: the built executable when PORTSNARE_EXECUTABLE names it, the sources otherwise. */
  static program(): readonly string[] {
    const built = Deno.env.get("PORTSNARE_EXECUTABLE");
    if (built !== undefined) return [built];
    return [DENO, "run", "-A", "--cached-only", new URL("../../src/main.ts", import.meta.url).pathname];
  }

  /** Start the daemon and wait until it is armed. */
  static async start(host: Host, options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = await Daemon.launch(host, options);
    await until("the daemon is armed", () => {
      if (daemon.#ended) throw new Error(`The daemon left: ${daemon.said()}`);
      return [...daemon.notices(), ...daemon.text].some((line) => line.includes("active and listening"));
    }, 30);
    return daemon;
  }

  /** Start the daemon without waiting. */
  static async launch(host: Host, options: DaemonOptions = {}): Promise<Daemon> {
    const directory = options.directory ?? await Deno.makeTempDir({ prefix: "portsnare-" });
    const path = `${directory}/config.toml`;
    await Deno.writeTextFile(path, configText(directory, options.config ?? {}));
    const within = options.within ?? [];
    const process = host.spawn([...within, ...Daemon.program(), "run", "-c", path, ...options.args ?? []], {
      env: { NO_COLOR: "1", ...options.env },
    });
    return new Daemon(host, process, { directory, within });
  }

  /** Run a verb against this daemon, in its host. */
  async cli(...args: readonly string[]): Promise<Result> {
    const [verb, ...rest] = args;
    return await this.#host.run([
      ...this.#within,
      ...Daemon.program(),
      verb ?? "",
      "-c",
      `${this.directory}/config.toml`,
      ...rest,
    ]);
  }

  /** The messages of its notices. */
  notices(): readonly string[] {
    return this.log.filter((line) => line["type"] === "notice").map((line) => String(line["message"]));
  }

  /** The lines of one type about one source. */
  about(source: string, type: "probe" | "block"): readonly LogLine[] {
    return this.log.filter((line) => line["type"] === type && line["source"] === source);
  }

  /** Wait for a line. */
  async line(
    what: string,
    matches: (line: LogLine) => boolean,
    seconds = DEADLINE_SECONDS,
  ): Promise<LogLine> {
    try {
      return await until(what, () => this.log.find(matches), seconds);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; the daemon said: ${this.said()}`);
    }
  }

  /** Wait for a line of the text log. */
  async heard(matches: (line: string) => boolean, seconds = DEADLINE_SECONDS): Promise<string> {
    return await until("the line is in the log", () => this.text.find(matches), seconds);
  }

  /** The history file. */
  async history(): Promise<string> {
    return await Deno.readTextFile(`${this.directory}/history`);
  }

  /** Everything it said, for a failure message. */
  said(): string {
    return [...this.text, ...this.log.map((line) => JSON.stringify(line))].slice(-40).join("\n");
  }

  /** Send a signal and wait for the end. @returns The exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    if (!this.#ended) this.process.kill(signal);
    const status = await this.process.status;
    await this.#reading;
    return status.code;
  }

  /** End it, and remove its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    await Deno.remove(this.directory, { recursive: true }).catch(() => {
      // A second daemon used the same directory and removed it first.
    });
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line.replace(/^<\d>/, ""));
    }
    if (rest !== "") this.#take(rest);
  }

  #take(line: string): void {
    if (!line.startsWith("{")) this.text.push(line);
    else this.log.push(JSON.parse(line));
  }
}

/** TOML of sections and keys, with the paths of this directory. */
export function configText(
  directory: string,
  sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): string {
  const own: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    files: {
      history: `${directory}/history`,
      state: `${directory}/state.db`,
      hosts_deny: `${directory}/hosts.deny`,
      control_socket: `${directory}/control.sock`,
    },
    log: { format: "json", target: "stdout", level: "debug", burst: 100_000 },
  };
  const names = new Set([...Object.keys(own), ...Object.keys(sections)]);
  const lines = [...names].flatMap((name) => [
    `[${name}]`,
    ...Object.entries({ ...own[name], ...sections[name] }).map(([key, value]) =>
      `${key} = ${JSON.stringify(value)}`
    ),
  ]);
  return `${lines.join("\n")}\n`;
}
