/**
 * The ports whose packets this host sends on to somebody else, learnt from what connection tracking said of a packet.
 *
 * A port that is published for a container looks unserved from here, and each segment of a transfer to it would be asked
 * about anew. Whoever asks leaves such a port alone for a while instead.
 * @module
 */
import type { SocketProtocol } from "../net/listener.ts";

/** Rules for translation come and go: after this long a port has to be learnt again. */
const REMEMBERED_MS = 60_000;
/**
 * Ports remembered at once. At the bound the newcomers are not remembered: their packets are asked about one by one, as
 * before. Only ports that the administrator's rules translate come here, so nobody outside can fill it.
 */
const MAX_PORTS = 256;

/** A port of this host. */
export interface TranslatedPort {
  /** By which protocol it was asked for. */
  readonly protocol: SocketProtocol;
  /** Its number. */
  readonly port: number;
}

/** The ports that were translated lately. */
export class TranslatedPorts {
  readonly #monotonicMs: () => number;
  /** Protocol and port as text → until when. */
  readonly #until = new Map<string, { readonly at: TranslatedPort; readonly ms: number }>();

  /** Nothing is known yet. `monotonicMs`: milliseconds since some moment; never jumps. */
  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** A packet to this port was translated just now. */
  learn({ protocol, port }: TranslatedPort): void {
    this.#forget();
    const key = `${protocol} ${port}`;
    if (!this.#until.has(key) && this.#until.size >= MAX_PORTS) return;
    this.#until.set(key, { at: { protocol, port }, ms: this.#monotonicMs() + REMEMBERED_MS });
  }

  /** What was learnt within the last minute. */
  ports(): readonly TranslatedPort[] {
    this.#forget();
    return [...this.#until.values()].map(({ at }) => at);
  }

  #forget(): void {
    const now = this.#monotonicMs();
    for (const [key, { ms }] of this.#until) if (ms <= now) this.#until.delete(key);
  }
}
