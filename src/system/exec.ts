/**
 * The one place that starts other programs: argument lists in, exit status and bounded output out.
 *
 * No shell, a fixed PATH, an empty environment, a session of its own, and an end: whatever a command does, the caller
 * gets an answer in bounded time and memory.
 * @module
 */
import { messageOf } from "../errors.ts";

/** Where programs are looked for; the caller's own PATH is not trusted. */
export const EXEC_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Of each output stream so much is kept; the rest is read and thrown away, so that the command does not stall. */
export const KEPT_BYTES = 64 * 1024;

/** Between the polite signal and SIGKILL. */
const TERMINATE_GRACE_MS = 500;

/** For output that is still in the pipes when the command has ended. */
const DRAIN_GRACE_MS = 200;

/** How a command is run. */
export interface ExecOptions {
  /** Text for its standard input. Default: nothing, /dev/null. */
  readonly stdin?: string;
  /** After so many milliseconds the command and everything in its process group is ended. */
  readonly timeoutMs: number;
  /** Its environment, beside PATH and LC_ALL=C. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
  /** How much of its standard output is kept, in bytes. Default: {@link KEPT_BYTES}. */
  readonly keepBytes?: number;
}

/** Why a command could not even be started. */
export type NotStarted = "not-found" | "not-executable" | "cannot-start";

/** What became of a command. */
export interface ExecResult {
  /** Its exit status; 128 and more after a signal; 127 and 126 when it could not be started, as a shell has it. */
  readonly code: number;
  /** The signal that ended it, such as `SIGKILL`. */
  readonly signal?: string;
  /** The first `keepBytes` of its standard output. */
  readonly stdout: string;
  /** The first {@link KEPT_BYTES} of its standard error; the reason when it could not be started. */
  readonly stderr: string;
  /** Whether it was ended because its time was over. */
  readonly timedOut: boolean;
  /** Present when no process was started. */
  readonly notStarted?: NotStarted;
}

/** Runs a program with arguments. Never throws for what the program does, not even when there is no such program. */
export type Exec = (argv: readonly string[], options: ExecOptions) => Promise<ExecResult>;

/**
 * Run a program to its end: the {@link Exec} of the real system.
 *
 * What the program leaves running in the background when it ends in time is left alone (people undo a block with
 * `(sleep 600; …) &`), but its output is read no longer.
 */
export async function run(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
  let child: Deno.ChildProcess;
  try {
    child = spawn(argv, options);
  } catch (error) {
    return notStarted(error);
  }
  const fed = feed(child, options.stdin);
  const outputs = [
    collect(child.stdout, options.keepBytes ?? KEPT_BYTES),
    collect(child.stderr, KEPT_BYTES),
  ] as const;
  const { status, timedOut } = await ended(child, options.timeoutMs);
  await settle(Promise.all(outputs.map((output) => output.done)), DRAIN_GRACE_MS);
  await Promise.all(outputs.map((output) => output.stop()));
  await fed;
  return {
    code: status.code,
    ...(status.signal === null ? {} : { signal: status.signal }),
    stdout: outputs[0].text(),
    stderr: outputs[1].text(),
    timedOut,
  };
}

/** Why a command failed, in one line; `undefined` when it succeeded. */
export function failureOf(result: ExecResult): string | undefined {
  if (result.notStarted !== undefined) return result.stderr;
  if (result.timedOut) return "ended because it ran longer than its time limit";
  if (result.code === 0 && result.signal === undefined) return undefined;
  const what = result.signal === undefined ? `exit status ${result.code}` : `ended by ${result.signal}`;
  const said = firstLine(result.stderr);
  return said === "" ? what : `${what}: ${said}`;
}

function firstLine(text: string): string {
  return text.split("\n").map((line) => line.trim()).find((line) => line !== "")?.slice(0, 400) ?? "";
}

function spawn(argv: readonly string[], options: ExecOptions): Deno.ChildProcess {
  const [program, ...args] = argv;
  if (program === undefined || program === "") throw new Deno.errors.NotFound("No program named");
  return new Deno.Command(program, {
    args,
    clearEnv: true,
    // Messages are searched for known texts, so they must come untranslated.
    env: { LC_ALL: "C", ...options.env, PATH: EXEC_PATH },
    cwd: "/",
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    // A session, hence a process group, of its own: the time limit must reach what the command forks.
    detached: true,
  }).spawn();
}

function notStarted(error: unknown): ExecResult {
  const base = { stdout: "", stderr: messageOf(error), timedOut: false };
  if (error instanceof Deno.errors.NotFound) return { ...base, code: 127, notStarted: "not-found" };
  if (error instanceof Deno.errors.PermissionDenied) {
    return { ...base, code: 126, notStarted: "not-executable" };
  }
  return { ...base, code: 126, notStarted: "cannot-start" };
}

async function ended(
  child: Deno.ChildProcess,
  timeoutMs: number,
): Promise<{ readonly status: Deno.CommandStatus; readonly timedOut: boolean }> {
  if (await settle(child.status, timeoutMs)) return { status: await child.status, timedOut: false };
  signalGroup(child, "SIGTERM");
  await settle(child.status, TERMINATE_GRACE_MS);
  // Also when the leader is gone by now: its children may have ignored the first signal.
  signalGroup(child, "SIGKILL");
  return { status: await child.status, timedOut: true };
}

function signalGroup(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    Deno.kill(-child.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

/** Waits for `promise`, but no longer than `milliseconds`. @returns Whether it settled in time. */
async function settle(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function feed(child: Deno.ChildProcess, stdin: string | undefined): Promise<void> {
  if (stdin === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  } catch {
    // The command ended without reading its input; its exit status says whether that matters.
  }
}

interface Output {
  /** Settles at the end of the stream. */
  readonly done: Promise<void>;
  /** Read no more; harmless at the end of the stream. */
  stop(): Promise<void>;
  /** What was kept. */
  text(): string;
}

function collect(stream: ReadableStream<Uint8Array>, keepBytes: number): Output {
  const kept: Uint8Array[] = [];
  let room = keepBytes;
  const reader = stream.getReader();
  const done = (async () => {
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) return;
      // A copy: the piece is a view of a larger buffer, which would otherwise be kept with it.
      if (room > 0) kept.push(value.slice(0, room));
      room -= Math.min(room, value.length);
    }
  })();
  return {
    done,
    stop: () => reader.cancel(),
    text: () => {
      const decoder = new TextDecoder();
      return kept.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
    },
  };
}
