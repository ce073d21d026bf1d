/**
 * What systemd is told about this service (sd_notify(3)). Without systemd nothing is told.
 * @module
 */
import { monotonicMicroseconds } from "../ffi/boot_clock.ts";
import { UnixDatagram } from "../ffi/unix_datagram.ts";

/** The part of the environment that systemd sets for a service of type notify. */
export interface NotifyEnvironment {
  /** Where to send to: a path, or `@name`. */
  readonly NOTIFY_SOCKET?: string | undefined;
  /** Microseconds without a sign of life after which systemd restarts the service. */
  readonly WATCHDOG_USEC?: string | undefined;
  /** For which process the watchdog is meant. */
  readonly WATCHDOG_PID?: string | undefined;
}

/** Tells systemd how the service is. A message that cannot be sent is dropped: systemd being gone is not our fault. */
export class Notifier implements Disposable {
  readonly #socket: UnixDatagram | undefined;
  readonly #watchdogMs: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Reads where and how often. `pid`: this process, for the watchdog. */
  constructor(environment: NotifyEnvironment, pid: number) {
    this.#socket = openSocket(environment.NOTIFY_SOCKET);
    this.#watchdogMs = watchdogInterval(environment, pid);
  }

  /** Every how many milliseconds a sign of life is due; `undefined`: never. */
  get watchdogMs(): number | undefined {
    return this.#watchdogMs;
  }

  /** The trap is armed. Also ends a reload. */
  ready(status?: string): void {
    this.#send(["READY=1", ...statusLine(status)]);
  }

  /** One line for `systemctl status`. */
  status(status: string): void {
    this.#send(statusLine(status));
  }

  /** The configuration is being read anew; {@link Notifier.ready} ends this. */
  reloading(): void {
    this.#send(["RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`]);
  }

  /** The service is about to end. */
  stopping(status?: string): void {
    this.#send(["STOPPING=1", ...statusLine(status)]);
  }

  /** A sign of life. */
  alive(): void {
    this.#send(["WATCHDOG=1"]);
  }

  /** Give signs of life as often as systemd wants them. By a timer, so that a main thread that hangs gives none. */
  startWatchdog(): void {
    if (this.#socket === undefined || this.#watchdogMs === undefined || this.#timer !== undefined) return;
    this.alive();
    this.#timer = setInterval(() => this.alive(), this.#watchdogMs);
    Deno.unrefTimer(Number(this.#timer));
  }

  /** Stop the watchdog and close the socket. Twice is harmless. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#socket?.[Symbol.dispose]();
  }

  #send(lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    try {
      this.#socket.send(new TextEncoder().encode(lines.join("\n")));
    } catch {
      // Nobody is left who could be told.
    }
  }
}

function openSocket(path: string | undefined): UnixDatagram | undefined {
  if (path === undefined || path === "") return undefined;
  try {
    return new UnixDatagram(path);
  } catch {
    // Such as vsock addresses, which are for virtual machines: as if nobody had asked.
    return undefined;
  }
}

/** Half of what systemd allows, as sd_watchdog_enabled(3) recommends. */
function watchdogInterval(environment: NotifyEnvironment, pid: number): number | undefined {
  const text = environment.WATCHDOG_USEC;
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  if (environment.WATCHDOG_PID !== undefined && environment.WATCHDOG_PID !== String(pid)) return undefined;
  const milliseconds = Number(text) / 2000;
  return milliseconds >= 1 ? milliseconds : undefined;
}

/** A newline would start another assignment. */
function statusLine(status: string | undefined): string[] {
  return status === undefined ? [] : [`STATUS=${status.replaceAll(/[\r\n]+/g, " ")}`];
}
