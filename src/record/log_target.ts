/**
 * Where log lines go: to the journal by standard output, to a person at a terminal, or to syslog.
 * @module
 */
import { fstatSync } from "node:fs";

/** What the configuration asks for (`log.target`). */
export type WantedTarget = "auto" | "stdout" | "syslog";

/** Where lines go. `journal` is standard output with systemd's priority prefix, `plain` is the same without. */
export type LogTarget = "journal" | "plain" | "syslog";

/** The usual identity in syslog. */
export const IDENTITY = "portsnare";

/** The identity while the configuration is a portsentry.conf, so that rules made for PortSentry's lines go on to match. */
export const PORTSENTRY_IDENTITY = "portsentry";

/** What the choice depends on. */
export interface LogSurroundings {
  /** Whether standard output leads to the journal. */
  readonly isJournal: boolean;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Whether there is a syslog socket. */
  readonly hasSyslog: boolean;
  /** The name to log under. */
  readonly identity: string;
}

/** Where lines go, given what is wanted and what is there. */
export function chooseTarget(wanted: WantedTarget, surroundings: LogSurroundings): LogTarget {
  const stdout = surroundings.isJournal ? "journal" : "plain";
  switch (wanted) {
    case "stdout":
      return stdout;
    case "syslog":
      return "syslog";
    case "auto":
      if (surroundings.isJournal) {
        // The journal names lines from standard output after the unit; only its syslog socket lets us choose.
        return surroundings.identity !== IDENTITY && surroundings.hasSyslog ? "syslog" : "journal";
      }
      return !surroundings.isTerminal && surroundings.hasSyslog ? "syslog" : "plain";
  }
}

/** What is there at this moment. `journalStream` is `$JOURNAL_STREAM`, which systemd sets (systemd.exec(5)). */
export function logSurroundings(
  options: {
    readonly journalStream: string | undefined;
    readonly syslogPath: string;
    readonly identity: string;
  },
): LogSurroundings {
  return {
    isJournal: options.journalStream !== undefined && options.journalStream === stdoutIdentity(),
    isTerminal: Deno.stdout.isTerminal(),
    hasSyslog: isSocket(options.syslogPath),
    identity: options.identity,
  };
}

function stdoutIdentity(): string | undefined {
  try {
    const { dev, ino } = fstatSync(1);
    return `${dev}:${ino}`;
  } catch {
    // Closed.
    return undefined;
  }
}

function isSocket(path: string): boolean {
  try {
    return Deno.statSync(path).isSocket === true;
  } catch {
    // Not there, or not for us to see.
    return false;
  }
}
