/**
 * The addresses that are never banned, found live: this host's own, its gateways, its resolvers, and who is logged in.
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { ProtectedReason } from "../detect/decision.ts";
import { SyscallError } from "../errors.ts";
import { type Address, isLoopback } from "../net/address.ts";
import type { PortSet } from "../net/ports.ts";
import { AddressMap } from "./address_map.ts";
import { Unanswered } from "./unanswered.ts";

/** A list of sessions that takes longer than this is asked for less often than each second. */
const CHEAP_MS = 0.5;
/** Then at most this part of the time goes into it: half a millisecond a second. */
const COST_FACTOR = 2000;
const MAX_GAP_MS = 60_000;
/** What was learnt this long ago is as good as an exact answer: nobody can tell that somebody logs in, and forge, faster. */
const FRESH_MS = 2;
/** A hundredth of the time goes into exact questions, when they come without end … */
const EXACT_SHARE = 0.01;
/** … and this much at once, so that the one before a single ban is always asked. */
const EXACT_BURST_MS = 100;

/** What the configuration says about it. */
export type ProtectSettings = Pick<Config["ignore"], "protect" | "session_ports">;

/** Where the facts come from; each is a part of a class of this folder. */
export interface ProtectedSources {
  /** See {@link HostRoutes}. */
  readonly routes: {
    readonly addresses: () => readonly Address[];
    readonly gateways: () => readonly Address[];
    readonly onChange: (listener: () => void) => void;
  };
  /** See {@link Resolvers}. */
  readonly resolvers: {
    readonly addresses: () => readonly Address[];
    readonly onChange: (listener: () => void) => void;
  };
  /** See {@link SocketTable}. */
  readonly sockets: { readonly sessionPeers: (ports: PortSet) => readonly Address[] };
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
}

/** A protected address. */
export interface ProtectedEntry {
  /** Which. */
  readonly address: Address;
  /** Why. */
  readonly reason: ProtectedReason;
}

/** What is different from before. */
export interface ProtectedChange {
  /** Protected from now on. */
  readonly added: readonly Address[];
  /** Not protected any more. */
  readonly removed: readonly Address[];
}

/** The protected addresses at this moment. */
export class ProtectedAddresses {
  /** How often the kernel did not say who is logged in. */
  readonly unanswered: Unanswered = new Unanswered(
    "who is logged in",
    "who was at the last answer is protected",
  );
  readonly #sources: ProtectedSources;
  readonly #listeners = new Set<(change: ProtectedChange) => void>();
  #settings: ProtectSettings;
  #entries = new AddressMap<ProtectedReason>();
  #sessions: readonly Address[] = [];
  #askedMs = -Infinity;
  /** What a look costs: the cheaper of the last two, for the other one may have waited for a busy processor. */
  #costMs = 0;
  #lastCostMs = 0;
  /** How much time may go into exact questions now, as of {@link #allowedMs}. The last one may have overdrawn it. */
  #allowanceMs = EXACT_BURST_MS;
  #allowedMs = -Infinity;

  /** Everything is known when this returns. */
  constructor(settings: ProtectSettings, sources: ProtectedSources) {
    this.#settings = settings;
    this.#sources = sources;
    sources.routes.onChange(() => this.#rebuild());
    sources.resolvers.onChange(() => this.#rebuild());
    this.#askSessions();
    this.#rebuild();
  }

  /** Why this address is never banned, or `undefined`. Sessions are those of the last {@link refreshSessions}. */
  reasonFor(address: Address): ProtectedReason | undefined {
    const reason = this.#entries.get(address);
    if (reason !== undefined) return reason;
    return isLoopback(address) && this.#settings.protect.includes("own-addresses")
      ? "own-address"
      : undefined;
  }

  /** Every protected address. */
  entries(): readonly ProtectedEntry[] {
    return [...this.#entries.entries()].map(({ address, value }) => ({ address, reason: value }));
  }

  /** Call `listener` after each change, with what to put into and take out of a copy of {@link entries}. */
  onChange(listener: (change: ProtectedChange) => void): void {
    this.#listeners.add(listener);
  }

  /** Follow a new configuration. */
  configure(settings: ProtectSettings): void {
    this.#settings = settings;
    this.#askSessions();
    this.#rebuild();
  }

  /**
   * Ask who is logged in; to be called each second. Where many connections make that expensive it is asked less often, so
   * that it never takes more than about half a millisecond in a second.
   */
  refreshSessions(): void {
    const gap = this.#costMs > CHEAP_MS ? Math.min(MAX_GAP_MS, this.#costMs * COST_FACTOR) : 0;
    if (this.#sources.monotonicMs() - this.#askedMs < gap) return;
    if (this.#askSessions()) this.#rebuild();
  }

  /**
   * Whether this address has a session at this moment: to be asked right before a ban, because somebody may have logged
   * in since the last {@link refreshSessions}. When asked in quick succession the answers come from one look, and when
   * asked without end, from one now and then.
   */
  isSessionNow(address: Address): boolean {
    if (!this.#settings.protect.includes("sessions")) return false;
    if (this.#mayAsk()) {
      const begun = this.#sources.monotonicMs();
      if (this.#askSessions()) this.#rebuild();
      this.#allowanceMs -= this.#askedMs - begun;
    }
    return this.#entries.get(address) === "session";
  }

  #mayAsk(): boolean {
    const now = this.#sources.monotonicMs();
    this.#allowanceMs = Math.min(EXACT_BURST_MS, this.#allowanceMs + (now - this.#allowedMs) * EXACT_SHARE);
    this.#allowedMs = now;
    return now - this.#askedMs > FRESH_MS && this.#allowanceMs > 0;
  }

  /** Whether there is an answer. */
  #askSessions(): boolean {
    if (!this.#settings.protect.includes("sessions")) {
      this.#sessions = [];
      return true;
    }
    const begun = this.#sources.monotonicMs();
    try {
      this.#sessions = this.#sources.sockets.sessionPeers(this.#settings.session_ports);
      return true;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.unanswered.add(error);
      return false;
    } finally {
      this.#askedMs = this.#sources.monotonicMs();
      const costMs = this.#askedMs - begun;
      this.#costMs = Math.min(costMs, this.#lastCostMs);
      this.#lastCostMs = costMs;
    }
  }

  /** Put the entries together anew and tell the listeners what that changed. */
  #rebuild(): void {
    const before = this.#entries;
    const entries = new AddressMap<ProtectedReason>();
    // The last one stands, so the strongest reason comes last.
    for (const address of this.#sessions) entries.set(address, "session");
    for (const { name, reason, addresses } of this.#lasting()) {
      if (!this.#settings.protect.includes(name)) continue;
      for (const address of addresses) entries.set(address, reason);
    }
    this.#entries = entries;
    const added = entries.addresses().filter((address) => !before.has(address));
    const removed = before.addresses().filter((address) => !entries.has(address));
    if (added.length + removed.length === 0) return;
    for (const listener of this.#listeners) listener({ added, removed });
  }

  #lasting(): readonly {
    readonly name: ProtectSettings["protect"][number];
    readonly reason: ProtectedReason;
    readonly addresses: readonly Address[];
  }[] {
    const { routes, resolvers } = this.#sources;
    return [
      { name: "resolvers", reason: "resolver", addresses: resolvers.addresses() },
      { name: "gateways", reason: "gateway", addresses: routes.gateways() },
      { name: "own-addresses", reason: "own-address", addresses: routes.addresses() },
    ];
  }
}
