/**
 * systemd's own journald in a machine of the lab, and what it has written down. Needs the package systemd.
 * @module
 */
import { until } from "./lab.ts";
import type { Machine } from "./machine.ts";

/** An entry of the journal, as `journalctl -o json` gives it. */
export interface JournalEntry {
  /** The line. */
  readonly MESSAGE: string;
  /** The severity of syslog(3), as a digit. */
  readonly PRIORITY: string;
}

const JOURNALD = "/lib/systemd/systemd-journald";
const STREAM = "/run/systemd/journal/stdout";

/** Runs a command as systemd does for a service: standard output leads to the journal, and a variable says so. */
const AS_SERVICE =
  'exec 3>&1; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/3); export JOURNAL_STREAM; exec "$@" 3>&-';

/** A running journal. It ends with its machine. */
export class Journal {
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Start it and wait until it takes lines. */
  static async start(machine: Machine): Promise<Journal> {
    // journald looks for the group of whoever writes, and a network namespace has a /sys of its own.
    await machine.sh("mkdir -p /run/systemd /run/log/journal; mount -t cgroup2 cgroup2 /sys/fs/cgroup");
    machine.spawn([JOURNALD]);
    await until("the journal listens", async () => (await machine.run(`test -S ${STREAM}`)).code === 0);
    return new Journal(machine);
  }

  /** Start a program as systemd starts a service. */
  spawn(argv: readonly string[]): Deno.ChildProcess {
    return this.#machine.spawn(["systemd-cat", "-t", "portsnare", "sh", "-c", AS_SERVICE, "sh", ...argv]);
  }

  /** What the program has said so far. */
  async entries(): Promise<readonly JournalEntry[]> {
    const text = await this.#machine.sh("journalctl -D /run/log/journal -t portsnare -o json --no-pager");
    return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Wait for an entry. */
  async heard(text: string | RegExp, seconds = 20): Promise<JournalEntry> {
    const fits = ({ MESSAGE }: JournalEntry): boolean =>
      typeof text === "string" ? MESSAGE.includes(text) : text.test(MESSAGE);
    try {
      return await until("it is in the journal", async () => (await this.entries()).find(fits), seconds);
    } catch {
      const all = (await this.entries()).map(({ PRIORITY, MESSAGE }) => `<${PRIORITY}>${MESSAGE}`);
      throw new Error(`Not in the journal: ${text}\n${all.slice(-30).join("\n")}`);
    }
  }
}
