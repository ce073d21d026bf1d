/**
 * The errors that a caller is meant to catch, and the exit code that each of them ends the program with.
 *
 * Everything else is a defect and leaves with {@link EXIT.internal}.
 * @module
 */

/** Exit codes of sysexits(3), the only ones that this program uses. */
export const EXIT = {
  ok: 0,
  /** The command line was wrong. */
  usage: 64,
  /** Input data (a capture, an old configuration to convert) was wrong. */
  badData: 65,
  /** Something this needs is not there: a program, a running daemon, a kernel feature. */
  unavailable: 69,
  /** A defect of portsnare itself. */
  internal: 70,
  /** The process may not do this. */
  permission: 77,
  /** The configuration was wrong. */
  config: 78,
} as const;

/** One of the values of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error whose message is for the person at the terminal: what was attempted, on what, why it failed, what to do. */
export class UserError extends Error {
  /** What the process leaves with when nobody catches this. */
  readonly exitCode: ExitCode;

  /**
   * Says what the person at the terminal is to read.
   *
   * @param message One line in sentence case without a full stop.
   * @param options The exit code (default: unavailable) and what caused this.
   */
  constructor(message: string, options: { readonly exitCode?: ExitCode; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UserError";
    this.exitCode = options.exitCode ?? EXIT.unavailable;
  }
}

/** Where in which file something is wrong. Lines and columns count from 1; 0 means "not known". */
export interface Place {
  /** Path as the user wrote it. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1. */
  readonly column: number;
}

/** One fault of a configuration or ignore file. */
export interface Fault extends Place {
  /** What is wrong and what was expected, in one line. */
  readonly message: string;
}

/** Every fault found in a configuration, told at once. */
export class ConfigError extends UserError {
  /** In file and line order. */
  readonly faults: readonly Fault[];

  /**
   * Tells them all.
   *
   * @param faults At least one.
   */
  constructor(faults: readonly Fault[]) {
    super(faults.map(formatFault).join("\n"), { exitCode: EXIT.config });
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** A system call that the kernel refused. */
export class SyscallError extends Error {
  /** What was attempted, such as `bind AF_PACKET socket`. */
  readonly operation: string;
  /** The name of the errno, such as `EPERM`. */
  readonly code: string;

  /**
   * Names the call and its errno.
   *
   * @param operation What was attempted.
   * @param code The name of the errno.
   */
  constructor(operation: string, code: string) {
    super(`${operation}: ${code}`);
    this.name = "SyscallError";
    this.operation = operation;
    this.code = code;
  }
}

/** A fault in the form `file:line:column: message`, as compilers print it. */
export function formatFault(fault: Fault): string {
  const line = fault.line > 0 ? `:${fault.line}` : "";
  const column = fault.line > 0 && fault.column > 0 ? `:${fault.column}` : "";
  return `${fault.file}${line}${column}: ${fault.message}`;
}

/** What the runtime puts behind the words of strerror(3): the number again, and a path that the caller names anyway. */
const RUNTIME_TAIL = / \(os error \d+\)(?:: [a-z]+ '[^']*')?$/;

/** The text of anything that was thrown, for a log line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(RUNTIME_TAIL, "") : String(error);
}
