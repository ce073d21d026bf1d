/**
 * Whether a packet is for a service of this host, asked of the kernel at the hit and remembered for an instant.
 *
 * A flood asks about the same few ports a hundred thousand times a second; the kernel's answer costs some microseconds.
 * What is decided in the end (a ban) is asked anew.
 * @module
 */
import type { Probe } from "../decode/probe.ts";
import { addressKey } from "../net/address.ts";
import type { IncomingPacket } from "../net/listener.ts";

/** How long "nobody owns it" is believed. A service that starts is safe from this moment on. */
const BELIEVED_MS = 50;
/** Ports remembered at once; at the bound everything is asked anew. */
const MAX_REMEMBERED = 4096;

/** Where the answers come from. */
export interface ServedSources {
  /** See {@link SocketTable}. */
  readonly sockets: { readonly owns: (packet: IncomingPacket) => boolean };
  /** See {@link Conntrack}. */
  readonly conntrack: { readonly translated: (packet: IncomingPacket) => boolean };
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
  /** Told of each packet that turns out to be translated. */
  readonly onTranslated?: (packet: IncomingPacket) => void;
}

/** Asks the kernel who a probe was for. */
export class ServedCache {
  readonly #sources: ServedSources;
  /** TCP ports with their addresses that nobody owned a moment ago. Only for SYNs, which belong to no connection. */
  readonly #unowned = new Set<string>();
  #since = -Infinity;

  /** Nothing is known yet. */
  constructor(sources: ServedSources) {
    this.#sources = sources;
  }

  /** Whether a socket of this host would get the packet, or it was translated to somewhere else; at most 50 ms old. */
  isServed(probe: Probe): boolean {
    // Only a packet that opens something is for whoever listens; any other may belong to one connection of many.
    if (probe.scan !== "syn") return this.isServedNow(probe);
    const now = this.#sources.monotonicMs();
    if (now - this.#since > BELIEVED_MS || this.#unowned.size >= MAX_REMEMBERED) {
      this.#unowned.clear();
      this.#since = now;
    }
    const key = `${probe.port} ${addressKey(probe.dest)}`;
    if (this.#unowned.has(key)) return false;
    const served = this.isServedNow(probe);
    if (!served) this.#unowned.add(key);
    return served;
  }

  /** The same, at this moment. */
  isServedNow(probe: Probe): boolean {
    if (probe.protocol === "icmp") return false;
    const packet: IncomingPacket = { ...probe, protocol: probe.protocol };
    if (this.#sources.sockets.owns(packet)) return true;
    if (!this.#sources.conntrack.translated(packet)) return false;
    this.#sources.onTranslated?.(packet);
    return true;
  }
}
