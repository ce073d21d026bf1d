/**
 * The engine of mode connect: binds the trapped ports itself, so that scanners find them open and get the banner.
 *
 * A TCP contact is a completed handshake; half-open connections are no evidence, because their source may be forged.
 * @module
 */
import { EXIT, messageOf, SyscallError, UserError } from "../errors.ts";
import { descriptorLimit } from "../ffi/bound_socket.ts";
import { Poller } from "../ffi/poller.ts";
import { TcpTrap } from "../ffi/tcp_trap.ts";
import { UdpTrap } from "../ffi/udp_trap.ts";
import { isMulticastOrBroadcast } from "../net/address.ts";
import type { PortSet } from "../net/ports.ts";
import type { Engine, EngineStats, FrameSink } from "./frame.ts";
import { TokenBucket } from "../system/token_bucket.ts";

/** Descriptors that everything else of the daemon may need. */
const OTHER_DESCRIPTORS = 256;
/** Contacts taken from one port before the next port gets its turn. */
const CONTACTS_A_TURN = 16;
/** Above this callers wait in the kernel, which refuses them when its own bounds are reached. */
const CONTACTS = { burst: 1024, perSecond: 1024 } as const;
/**
 * Answers to datagrams, whose sources may be forged: with so few a second, none of them larger than the question,
 * nobody can use this host to flood another.
 */
const UDP_ANSWERS = { burst: 10, perSecond: 5 } as const;
const PAUSE_MS = 50;

/** What a {@link ConnectEngine} needs. */
export interface ConnectEngineOptions {
  /** Takes the contacts. */
  readonly sink: FrameSink;
  /** TCP ports to bind; the empty set when TCP is not in mode connect. */
  readonly tcp: PortSet;
  /** UDP ports to bind, likewise. */
  readonly udp: PortSet;
  /** What callers are told. To a datagram no more of it than the datagram was long. Default: nothing. */
  readonly banner?: string;
  /** Seconds since the epoch. */
  readonly now?: () => number;
  /** How many descriptors the process may have. Default: asked of the kernel. */
  readonly descriptors?: number;
}

/** A port that could not be bound. */
export interface SkippedPort {
  /** The protocol. */
  readonly protocol: "tcp" | "udp";
  /** The port. */
  readonly port: number;
  /** Why, such as `EADDRINUSE`. */
  readonly error: string;
}

/** Sees who reaches the ports that it binds. */
export class ConnectEngine implements Engine {
  /** See {@link Engine.name}. */
  readonly name = "connect";
  readonly #options: ConnectEngineOptions;
  readonly #banner: Uint8Array<ArrayBuffer> | undefined;
  readonly #contacts = new TokenBucket(CONTACTS);
  readonly #answers = new TokenBucket(UDP_ANSWERS);
  readonly #traps: (TcpTrap | UdpTrap)[] = [];
  readonly #skipped: SkippedPort[] = [];
  #poller: Poller | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #turn = 0;
  #reported = 0;
  #refused = 0;

  /** Nothing is bound yet. */
  constructor(options: ConnectEngineOptions) {
    this.#options = options;
    this.#banner = options.banner === undefined ? undefined : new TextEncoder().encode(options.banner);
  }

  /** The ports that could not be bound, once started. The others are watched all the same. */
  get skipped(): readonly SkippedPort[] {
    return this.#skipped;
  }

  /**
   * Bind every port and deliver from now on.
   *
   * @throws {UserError} When the process may not have that many descriptors.
   */
  start(): Promise<void> {
    return Promise.try(() => this.#start());
  }

  /** See {@link Engine.stats}. Callers whom the kernel turned away are not known to it. */
  stats(): EngineStats {
    const overflown = this.#traps.reduce((sum, trap) => sum + (trap instanceof UdpTrap ? trap.lost : 0), 0);
    const lost = overflown + this.#refused;
    return { trapped: this.#reported + lost, reported: this.#reported, lost };
  }

  /** Stop and close everything. Resolves when nothing of this engine is left. */
  async stop(): Promise<void> {
    this[Symbol.dispose]();
    await this.#running;
  }

  /** Deliver nothing more from this moment on; the ports are closed as soon as the kernel lets go of them. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#poller?.[Symbol.dispose]();
  }

  #start(): void {
    if (this.#poller !== undefined || this.#stopped) return;
    this.#checkLimit();
    const { tcp, udp } = this.#options;
    for (const port of portsOf(tcp)) this.#open("tcp", port);
    for (const port of portsOf(udp)) this.#open("udp", port);
    this.#poller = new Poller(this.#traps.map(({ fd }) => fd));
    this.#running = this.#run(this.#poller);
  }

  #checkLimit(): void {
    const ports = this.#options.tcp.size + this.#options.udp.size;
    const limit = this.#options.descriptors ?? descriptorLimit();
    const needed = ports + OTHER_DESCRIPTORS;
    if (needed <= limit) return;
    throw new UserError(
      `Cannot bind ${ports} ports: that needs ${needed} open files, and this process may have ${limit}; ` +
        "raise LimitNOFILE= of the service (or ulimit -n), or name fewer ports in tcp.ports and udp.ports",
      { exitCode: EXIT.config },
    );
  }

  #open(protocol: "tcp" | "udp", port: number): void {
    if (port === 0) {
      // To bind port 0 means any free port.
      this.#skipped.push({ protocol, port, error: "EINVAL" });
      return;
    }
    try {
      this.#traps.push(protocol === "tcp" ? new TcpTrap(port) : new UdpTrap(port));
    } catch (error) {
      const code = error instanceof SyscallError ? error.code : messageOf(error);
      this.#skipped.push({ protocol, port, error: code });
    }
  }

  async #run(poller: Poller): Promise<void> {
    try {
      while (await poller.wait()) {
        const before = this.#reported;
        const calm = this.#serve(poller.ready());
        if (this.#reported > before) this.#options.sink.flush();
        if (!calm) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } finally {
      await poller.stop();
      for (const trap of this.#traps) trap[Symbol.dispose]();
    }
  }

  /** Give each of these traps its turn. @returns False when it is time for a pause. */
  #serve(ready: readonly number[]): boolean {
    // Not always from the same end: with the budget spent, those in front would be all that is ever served.
    this.#turn++;
    for (let i = 0; i < ready.length; i++) {
      const trap = this.#traps[ready[(i + this.#turn) % ready.length] ?? -1];
      if (trap === undefined) continue;
      for (let taken = 0; taken < CONTACTS_A_TURN; taken++) {
        if (this.#stopped || !this.#contacts.take(performance.now())) return false;
        const more = trap instanceof TcpTrap ? this.#accept(trap) : this.#receive(trap);
        if (more === "pause") return false;
        if (more === "empty") break;
      }
    }
    return true;
  }

  #accept(trap: TcpTrap): "more" | "empty" | "pause" {
    const accepted = trap.accept(this.#banner);
    switch (accepted.kind) {
      case "nobody":
        return "empty";
      case "gone":
        return "more";
      case "refused":
        this.#refused++;
        return "pause";
      case "caller":
        this.#report({ protocol: "tcp", port: trap.port, source: accepted.source, dest: accepted.dest });
        return "more";
    }
  }

  #receive(trap: UdpTrap): "more" | "empty" | "pause" {
    let datagram;
    try {
      datagram = trap.receive();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#refused++;
      return "pause";
    }
    if (datagram === undefined) return "empty";
    const { source, dest, length } = datagram;
    if (isMulticastOrBroadcast(dest)) return "more";
    this.#report({ protocol: "udp", port: trap.port, source, dest });
    if (this.#banner !== undefined && length > 0 && this.#answers.take(performance.now())) {
      trap.answer(this.#banner.subarray(0, length));
    }
    return "more";
  }

  #report(contact: Omit<Parameters<FrameSink["contact"]>[0], "time">): void {
    this.#reported++;
    const now = this.#options.now ?? wallClock;
    this.#options.sink.contact({ time: now(), ...contact });
  }
}

function wallClock(): number {
  return Date.now() / 1000;
}

function* portsOf(set: PortSet): Iterable<number> {
  for (const { first, last } of set.ranges()) {
    for (let port = first; port <= last; port++) yield port;
  }
}
