/**
 * The addresses of this host and the gateways it uses, kept current by the kernel's own events (rtnetlink(7)).
 * @module
 */
import { SyscallError } from "../errors.ts";
import { NETLINK, NetlinkSocket } from "../ffi/netlink_socket.ts";
import { Poller } from "../ffi/poller.ts";
import type { Address } from "../net/address.ts";
import { type NetlinkMessage, readMessages } from "../net/netlink_message.ts";
import { NetlinkExchange } from "./netlink_exchange.ts";
import { readSnapshot, type RouteSnapshot, sameSnapshot } from "./route_snapshot.ts";
import { leadsOut, RTM, RTNLGRP } from "./rtnetlink.ts";
import { Unanswered } from "./unanswered.ts";

/** Datagrams of events read between two looks at the tables. */
const MAX_EVENTS = 1000;
/** Events come in bursts; between two looks at the tables lies at least this, or twenty times what the last one took. */
const MIN_GAP_MS = 50;
const COST_FACTOR = 20;
const RETRY_MS = 1000;

/** Options of {@link HostRoutes}. */
export interface HostRoutesOptions {
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
  /** Size of the kernel's buffer for events, in bytes; a smaller one overruns sooner (default: the kernel's). */
  readonly receiveBytes?: number;
}

/** Counters of {@link HostRoutes}. All grow only. */
export interface HostRoutesStats {
  /** How often the tables were read. */
  readonly refreshes: number;
  /** How often events were lost because there were too many; the tables were read anew each time. */
  readonly overruns: number;
}

/** Addresses and default gateways of the network namespace in which this was made. */
export class HostRoutes implements AsyncDisposable {
  /** How often reading the tables failed. */
  readonly unanswered: Unanswered = new Unanswered(
    "which addresses and gateways this host has",
    "those of the last answer stand",
  );
  readonly #monotonicMs: () => number;
  readonly #events: NetlinkSocket;
  readonly #exchange: NetlinkExchange;
  readonly #listeners = new Set<() => void>();
  #snapshot: RouteSnapshot;
  #poller: Poller | undefined;
  #following: Promise<void> | undefined;
  #stopped = false;
  #refreshes = 0;
  #overruns = 0;

  /**
   * Read the tables once. They are kept current after {@link start}.
   *
   * @throws {SyscallError} When the kernel does not answer.
   */
  constructor(options: HostRoutesOptions) {
    this.#monotonicMs = options.monotonicMs;
    // Joined before the first look, so that nothing can change unseen in between.
    this.#events = new NetlinkSocket(NETLINK.route, {
      groups: Object.values(RTNLGRP),
      bufferBytes: 1 << 16,
      ...(options.receiveBytes === undefined ? {} : { receiveBytes: options.receiveBytes }),
    });
    using opened = new DisposableStack();
    opened.use(this.#events);
    this.#exchange = opened.use(new NetlinkExchange(NETLINK.route));
    this.#snapshot = this.#read();
    opened.move();
  }

  /** The addresses of all interfaces of this host, loopback included. */
  addresses(): readonly Address[] {
    return this.#snapshot.addresses.addresses();
  }

  /** Whether this is an address of this host. */
  isOwn(address: Address): boolean {
    return this.#snapshot.addresses.has(address);
  }

  /** The gateways of the default routes of all tables, every hop of a multipath route included. */
  gateways(): readonly Address[] {
    return this.#snapshot.gateways.addresses();
  }

  /** Call `listener` after each change of any of these. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Begin to follow the kernel's events. */
  start(): void {
    if (this.#stopped || this.#poller !== undefined) return;
    this.#poller = new Poller(this.#events.fd);
    this.#following = this.#follow(this.#poller);
  }

  /** The counters so far. */
  stats(): HostRoutesStats {
    return { refreshes: this.#refreshes, overruns: this.#overruns };
  }

  /** Stop following and close every descriptor. Twice is harmless; what was last read stays readable. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#poller?.stop();
    await this.#following;
    this.#events[Symbol.dispose]();
    this.#exchange[Symbol.dispose]();
  }

  async #follow(poller: Poller): Promise<void> {
    try {
      while (await poller.wait()) {
        if (!this.#drain()) continue;
        const begun = this.#monotonicMs();
        while (!this.#refresh()) await this.#pause(RETRY_MS);
        await this.#pause(Math.max(MIN_GAP_MS, COST_FACTOR * (this.#monotonicMs() - begun)));
      }
    } catch (error) {
      // Only a descriptor closed under us ends up here: nothing can be followed any more.
      this.unanswered.add(error);
    }
  }

  /** Waits in steps, so that stopping is not held up. */
  async #pause(ms: number): Promise<void> {
    for (let left = ms; left > 0 && !this.#stopped; left -= MIN_GAP_MS) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, MIN_GAP_MS)));
    }
  }

  /** Take the waiting events. Whether any of them can have changed what we know. */
  #drain(): boolean {
    let relevant = false;
    for (let i = 0; i < MAX_EVENTS; i++) {
      const received = this.#events.receive();
      if (received.kind === "empty") break;
      if (received.kind === "overrun") {
        this.#overruns++;
        relevant = true;
        continue;
      }
      for (const message of readMessages(received.bytes)) relevant ||= matters(message);
    }
    return relevant;
  }

  /** Whether it was done, or need not be done any more. */
  #refresh(): boolean {
    if (this.#stopped) return true;
    try {
      const before = this.#snapshot;
      this.#snapshot = this.#read();
      if (!sameSnapshot(before, this.#snapshot)) {
        for (const listener of this.#listeners) listener();
      }
      return true;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.unanswered.add(error);
      return false;
    }
  }

  #read(): RouteSnapshot {
    this.#refreshes++;
    return readSnapshot(this.#exchange);
  }
}

/** Routes to single networks come and go by the thousand on a router; only those that lead out are of interest. */
function matters(message: NetlinkMessage): boolean {
  const isRoute = message.type === RTM.newRoute || message.type === RTM.delRoute;
  return !isRoute || leadsOut(message.payload);
}
