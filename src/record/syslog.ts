/**
 * Lines to syslog's socket, in the form that the C library's syslog(3) sends (RFC 3164 without the host name).
 * @module
 */
import { SyscallError } from "../errors.ts";
import { UnixDatagram } from "../ffi/unix_datagram.ts";
import type { Clock } from "../system/clock.ts";
import type { Level } from "./event.ts";

/** Severities of syslog(3). */
export const SEVERITY: Readonly<Record<Level, number>> = { err: 3, warning: 4, notice: 5, info: 6, debug: 7 };

/** LOG_DAEMON of sys/syslog.h. */
const FACILITY_DAEMON = 3 << 3;
/** rsyslog cuts at this by default; journald takes more. */
const MAX_BYTES = 8192;
/** Lines that wait while nobody listens. Above it the oldest is lost, and counted. */
const MAX_WAITING = 1024;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Options of {@link Syslog}. */
export interface SyslogOptions {
  /** The socket. */
  readonly path: string;
  /** What stands before the process id, such as `portsnare`. */
  readonly identity: string;
  /** This process. */
  readonly pid: number;
  /** For the time of each line. */
  readonly clock: Pick<Clock, "now">;
  /** Makes the line that tells of lost lines, once somebody listens again. */
  readonly lossText: (lines: number) => string;
}

/** The local syslog service. It may be missing, die and come back; a line waits until then. */
export class Syslog implements Disposable {
  readonly #options: SyslogOptions;
  readonly #socket: UnixDatagram;
  readonly #waiting: Uint8Array<ArrayBuffer>[] = [];
  #lost = 0;
  #untold = 0;
  #isBusy = false;

  /** Nobody needs to listen yet. */
  constructor(options: SyslogOptions) {
    this.#options = options;
    this.#socket = new UnixDatagram(options.path);
  }

  /** Lines that could not be kept while nobody listened, ever. The next one that gets through tells of them. */
  get lost(): number {
    return this.#lost;
  }

  /** Whether somebody listens who had no room for another line. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Lines that wait at this moment. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Send a line, or keep it until it can be sent. Never waits. */
  write(level: Level, text: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift();
      this.#lose(1);
    }
    this.#waiting.push(this.#datagram(level, text));
    this.retry();
  }

  /** Send what waits, oldest first, until the service refuses. */
  retry(): void {
    // What was lost is older than whatever waits.
    if (this.#untold > 0) {
      const told = this.#untold;
      if (!this.#send(this.#datagram("warning", this.#options.lossText(told)))) return;
      this.#untold -= told;
    }
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!this.#send(first)) return;
      this.#waiting.shift();
    }
  }

  /** Close the socket. What waits is lost. Twice is harmless. */
  [Symbol.dispose](): void {
    this.retry();
    this.#lose(this.#waiting.splice(0).length);
    this.#socket[Symbol.dispose]();
  }

  /** @returns Whether the service took it, or never will. */
  #send(datagram: Uint8Array<ArrayBuffer>): boolean {
    try {
      this.#socket.send(datagram);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#isBusy = error.code === "EAGAIN";
      // Whatever the reason, a line that can never be sent must not hold up those behind it.
      if (error.code !== "EMSGSIZE") return false;
      this.#lose(1);
    }
    return true;
  }

  #lose(lines: number): void {
    this.#lost += lines;
    this.#untold += lines;
  }

  #datagram(level: Level, text: string): Uint8Array<ArrayBuffer> {
    const { identity, pid, clock } = this.#options;
    const priority = FACILITY_DAEMON | SEVERITY[level];
    const line = `<${priority}>${syslogTime(clock.now())} ${identity}[${pid}]: ${text}`;
    return new TextEncoder().encode(line).slice(0, MAX_BYTES);
  }
}

/** `Nov  1 08:05:09`, local time (RFC 3164, section 4.1.2). */
function syslogTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${MONTHS[date.getMonth()] ?? "Jan"} ${String(date.getDate()).padStart(2)} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
