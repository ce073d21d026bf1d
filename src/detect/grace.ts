/**
 * Which ports are no trap because a service is there, or was there a short while ago.
 *
 * Pure: fed with what the host's sockets look like, and with the time. A service that restarts must not get its own
 * customers banned (whose clients retry for minutes), nor must a reboot, after which we may be up before it.
 * @module
 */
import { type Address, addressKey, isLoopback, parseAddress } from "../net/address.ts";
import { type Listener, SOCKET_PROTOCOLS, type SocketProtocol } from "../net/listener.ts";

/**
 * Ports followed at once, an address-bound one counting by itself. When there are more, the newcomers are not followed:
 * while they are there the socket lookup finds them all the same, they only have no grace.
 */
const MAX_FOLLOWED = 4096;

/** What a port is at some moment. */
export type Standing =
  /** Somebody listens there. */
  | "served"
  /** Somebody listened there until lately. */
  | "grace"
  /** Nobody does. */
  | "trap";

/** A port of this host, or of one of its addresses. */
export interface GracePort {
  /** By which protocol it is served. */
  readonly protocol: SocketProtocol;
  /** The one address it is served at; `undefined`: all. */
  readonly address: Address | undefined;
  /** Its number. */
  readonly port: number;
}

/** A port that is no trap, and for how long. */
export interface GraceElement extends GracePort {
  /** Seconds from now until it is a trap again; `undefined`: as long as its listener is there. */
  readonly seconds: number | undefined;
}

/** What to do to a copy of {@link Grace.elements}. */
export interface GraceChange {
  /** Put these in, in place of what is there for the same port and address. */
  readonly put: readonly GraceElement[];
  /** Take these out. Those whose time is over need not be taken out. */
  readonly drop: readonly GracePort[];
}

/** A followed port as it can be written down. */
export interface SavedPort {
  /** Its protocol. */
  readonly protocol: SocketProtocol;
  /** Its address as text; empty: all. */
  readonly address: string;
  /** Its number. */
  readonly port: number;
  /** Seconds of grace that it has, counted from when it is read again. */
  readonly seconds: number;
}

/** Options of {@link Grace}. */
export interface GraceOptions {
  /** How long a port that lost its listener is no trap, in seconds. 0: not at all. */
  readonly graceSeconds: number;
  /** Whether this port would be a trap if nobody listened there; others are not followed. Default: all. */
  readonly trapped?: (protocol: SocketProtocol, port: number) => boolean;
}

/** When the grace of a followed port ends, in seconds; infinite while it has a listener. */
interface Followed {
  readonly at: GracePort;
  until: number;
}

/** The ports with a listener and those in grace. Time is in seconds since any fixed moment and must not jump. */
export class Grace {
  readonly #graceSeconds: number;
  readonly #trapped: (protocol: SocketProtocol, port: number) => boolean;
  /** By text of protocol, address and port; each listener in the last snapshot is here, infinite. */
  readonly #followed = new Map<string, Followed>();
  /** Protocol and port as one number → what is followed there, for look-ups on the packet path. */
  readonly #byPort = new Map<number, Followed[]>();
  #passedOver = 0;

  /** Nothing is followed yet. */
  constructor(options: GraceOptions) {
    this.#graceSeconds = options.graceSeconds;
    this.#trapped = options.trapped ?? (() => true);
  }

  /** Listeners that could not be followed because there were too many. Grows only. */
  get passedOver(): number {
    return this.#passedOver;
  }

  /** What this port of this address is now. */
  standing(
    question: { readonly protocol: SocketProtocol; readonly dest: Address; readonly port: number },
    now: number,
  ): Standing {
    let standing: Standing = "trap";
    for (const { at, until } of this.#byPort.get(portKey(question)) ?? []) {
      if (until <= now || !covers(at, question.dest)) continue;
      if (until === Infinity) return "served";
      standing = "grace";
    }
    return standing;
  }

  /** Take note of who listens now. Listeners that only this host can reach do not count. */
  update(listeners: readonly Listener[], now: number): GraceChange {
    const put: GraceElement[] = [];
    const drop: GracePort[] = [];
    const present = new Set<string>();
    for (const listener of listeners) {
      if (listener.loopback || !this.#trapped(listener.protocol, listener.port)) continue;
      const { protocol, address, port } = listener;
      const followed = this.#follow({ protocol, address, port });
      if (followed === undefined) continue;
      present.add(textKey(followed.at));
      if (followed.until !== Infinity) put.push({ ...followed.at, seconds: undefined });
      followed.until = Infinity;
    }
    for (const [key, followed] of this.#followed) {
      if (present.has(key)) continue;
      if (followed.until === Infinity) {
        if (this.#graceSeconds > 0) put.push({ ...followed.at, seconds: this.#graceSeconds });
        else drop.push(followed.at);
        followed.until = now + this.#graceSeconds;
      }
      if (followed.until <= now) this.#forget(key, followed);
    }
    return { put, drop };
  }

  /** Everything that is no trap now: what a new copy has to hold. */
  elements(now: number): readonly GraceElement[] {
    return [...this.#followed.values()].filter(({ until }) => until > now).map(({ at, until }) => ({
      ...at,
      seconds: until === Infinity ? undefined : until - now,
    }));
  }

  /** What to write down, so that a restart does not make traps of ports whose services start after us. */
  remember(now: number): readonly SavedPort[] {
    if (this.#graceSeconds === 0) return [];
    return this.elements(now).map(({ protocol, address, port, seconds }) => ({
      protocol,
      address: address === undefined ? "" : addressKey(address),
      port,
      seconds: seconds ?? this.#graceSeconds,
    }));
  }

  /** Give grace to what was written down by an earlier run. What makes no sense, or is followed already, is passed over. */
  restore(saved: readonly SavedPort[], now: number): GraceChange {
    const put: GraceElement[] = [];
    for (const entry of saved.slice(0, MAX_FOLLOWED)) {
      const at = portFrom(entry);
      const seconds = Math.min(entry.seconds, this.#graceSeconds);
      if (at === undefined || !(seconds > 0) || !this.#trapped(at.protocol, at.port)) continue;
      if (this.#followed.has(textKey(at))) continue;
      const followed = this.#follow(at);
      if (followed === undefined) break;
      followed.until = now + seconds;
      put.push({ ...at, seconds });
    }
    return { put, drop: [] };
  }

  /** What is followed here, anew if need be; `undefined` when there is no room for it. */
  #follow(at: GracePort): Followed | undefined {
    const key = textKey(at);
    const known = this.#followed.get(key);
    if (known !== undefined) return known;
    if (this.#followed.size >= MAX_FOLLOWED) {
      this.#passedOver++;
      return undefined;
    }
    const followed = { at, until: -Infinity };
    this.#followed.set(key, followed);
    const there = this.#byPort.get(portKey(at));
    if (there === undefined) this.#byPort.set(portKey(at), [followed]);
    else there.push(followed);
    return followed;
  }

  #forget(key: string, followed: Followed): void {
    this.#followed.delete(key);
    const left = (this.#byPort.get(portKey(followed.at)) ?? []).filter((other) => other !== followed);
    if (left.length === 0) this.#byPort.delete(portKey(followed.at));
    else this.#byPort.set(portKey(followed.at), left);
  }
}

function covers(at: GracePort, dest: Address): boolean {
  return at.address === undefined || addressKey(at.address) === addressKey(dest);
}

function portKey({ protocol, port }: { readonly protocol: SocketProtocol; readonly port: number }): number {
  return SOCKET_PROTOCOLS.indexOf(protocol) * 65536 + port;
}

function textKey({ protocol, address, port }: GracePort): string {
  return `${protocol} ${address === undefined ? "*" : addressKey(address)} ${port}`;
}

/** What comes from a file may be anything. */
function portFrom(saved: SavedPort): GracePort | undefined {
  const address = saved.address === "" ? undefined : parseAddress(saved.address);
  if (saved.address !== "" && (address === undefined || isLoopback(address))) return undefined;
  if (!SOCKET_PROTOCOLS.includes(saved.protocol)) return undefined;
  if (!Number.isInteger(saved.port) || saved.port < 1 || saved.port > 65535) return undefined;
  return { protocol: saved.protocol, address, port: saved.port };
}
