/**
 * What connection tracking knows of a packet: whether this host sends it on to somebody else.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { NETLINK } from "../ffi/netlink_socket.ts";
import { familyOf, sameAddress } from "../net/address.ts";
import type { IncomingPacket } from "../net/listener.ts";
import { CTNETLINK, readFlowCount, readReplier, writeFlowQuestion, writeStatsQuestion } from "./ctnetlink.ts";
import { NetlinkExchange } from "./netlink_exchange.ts";
import { Unanswered } from "./unanswered.ts";

/** There exactly when the conntrack module is, in every namespace. */
const PRESENCE = "/proc/sys/net/netfilter/nf_conntrack_max";
/** How long an absent module is taken to be absent still. */
const RECHECK_MS = 1000;

/** Options of {@link Conntrack}. */
export interface ConntrackOptions {
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
}

/** The connection tracking table of the network namespace in which this was first asked. */
export class Conntrack implements Disposable {
  /** What could not be learnt of a packet. */
  readonly unanswered: Unanswered = new Unanswered(
    "whether packets are translated to another host",
    "those it was asked about counted as meant for this one",
  );
  readonly #monotonicMs: () => number;
  #exchange: NetlinkExchange | undefined;
  #absentUntilMs = -Infinity;
  #closed = false;

  /** Nothing is opened before the first question. */
  constructor(options: ConntrackOptions) {
    this.#monotonicMs = options.monotonicMs;
  }

  /**
   * Whether the kernel tracks connections at all and can be asked about them.
   *
   * Only a module that is there already is asked: the question itself would load it.
   */
  get available(): boolean {
    return this.#open() !== undefined;
  }

  /**
   * Whether this packet's flow was translated: its answers come from another address or port than it was sent to, so
   * that what lives there (a container, a redirected port) is no business of ours.
   *
   * `false` where nothing is tracked. Flows of other conntrack zones than the default one are not seen.
   */
  translated(packet: IncomingPacket): boolean {
    if (familyOf(packet.dest) !== familyOf(packet.source)) return false;
    const exchange = this.#open();
    if (exchange === undefined) return false;
    const answer = this.#tried(() =>
      exchange.ask({
        operation: "look up flow",
        type: CTNETLINK.get,
        body: (writer) => writeFlowQuestion(writer, packet),
      })
    );
    const replier = answer && readReplier(answer);
    if (replier === undefined) return false;
    return replier.port !== packet.port || !sameAddress(replier.address, packet.dest);
  }

  /** Whether any flow is being tracked in this namespace: our ruleset may then use what is there anyway. */
  inUse(): boolean {
    const exchange = this.#open();
    if (exchange === undefined) return false;
    const answer = this.#tried(() =>
      exchange.ask({ operation: "count flows", type: CTNETLINK.stats, body: writeStatsQuestion })
    );
    return answer !== undefined && readFlowCount(answer) > 0;
  }

  /** Close the socket to the kernel. Twice is harmless; every later answer is `false`. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#exchange?.[Symbol.dispose]();
    this.#exchange = undefined;
  }

  #open(): NetlinkExchange | undefined {
    if (this.#closed) return undefined;
    if (this.#exchange !== undefined) return this.#exchange;
    const now = this.#monotonicMs();
    if (now < this.#absentUntilMs) return undefined;
    this.#absentUntilMs = now + RECHECK_MS;
    if (!exists(PRESENCE)) return undefined;
    this.#exchange = this.#tried(() => new NetlinkExchange(NETLINK.netfilter));
    return this.#exchange;
  }

  /** A flow about which nothing can be learnt counts as one that ends here. */
  #tried<T>(question: () => T): T | undefined {
    try {
      return question();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.unanswered.add(error);
      // EINVAL: nf_conntrack_netlink, which takes the questions, is not there; it may come with the next container.
      if (error.code === "EINVAL") this.#forget();
      return undefined;
    }
  }

  #forget(): void {
    this.#exchange?.[Symbol.dispose]();
    this.#exchange = undefined;
    this.#absentUntilMs = this.#monotonicMs() + RECHECK_MS;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    // Not there, or /proc is not to be read: either way there is nobody to ask.
    return false;
  }
}
