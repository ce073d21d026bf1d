/**
 * A sink that understands what it is given and remembers it.
 * @module
 */
import type { Contact, Frame, FrameSink } from "../../src/capture/frame.ts";
import { classify } from "../../src/decode/classify.ts";
import { decodePacket } from "../../src/decode/decode.ts";
import type { Probe } from "../../src/decode/probe.ts";

/** What an engine delivered. */
export class Collector implements FrameSink {
  /** Packets from outside that are probes, in order. */
  readonly probes: Probe[] = [];
  /** The same of packets that the host sent. */
  readonly sent: Probe[] = [];
  /** Why other packets were none. */
  readonly others: string[] = [];
  /** Contacts of mode connect. */
  readonly contacts: Contact[] = [];
  /** How many frames and contacts lay before each flush. */
  readonly batches: number[] = [];
  #batch = 0;

  /** See {@link FrameSink}. */
  frame(frame: Frame): void {
    this.#batch++;
    const classified = classify(decodePacket(frame.bytes, frame.wireLength), frame.time);
    if (classified.kind === "none") this.others.push(classified.reason);
    else (frame.outgoing ? this.sent : this.probes).push(classified.probe);
  }

  /** See {@link FrameSink}. */
  contact(contact: Contact): void {
    this.#batch++;
    this.contacts.push(contact);
  }

  /** See {@link FrameSink}. */
  flush(): void {
    this.batches.push(this.#batch);
    this.#batch = 0;
  }

  /** The distinct ports asked for, sorted. */
  ports(): number[] {
    return [...new Set(this.probes.map(({ port }) => port))].sort((a, b) => a - b);
  }

  /** The distinct scan types, sorted. */
  scans(): string[] {
    return [...new Set(this.probes.map(({ scan }) => scan))].sort();
  }
}
