/**
 * Tells of probes with the names of their sources, where `detect.resolve_host` asks for them.
 *
 * A line waits for its name, as long as {@link NamedRecorderOptions.nameOf} allows; nothing else waits for the line.
 * @module
 */
import type { Address } from "../net/address.ts";
import type { ProbeEvent } from "./event.ts";
import type { Recorder } from "./recorder.ts";

/** Events that wait at once. What comes in excess, in a flood, is told without names. */
const MAX_WAITING = 1024;

/** What a {@link NamedRecorder} is made from. */
export interface NamedRecorderOptions {
  /** Writes down. */
  readonly recorder: Pick<Recorder, "record">;
  /** The name of an address; `undefined` when there is none. Bounded in time; never rejects. */
  readonly nameOf: (source: Address) => Promise<string | undefined>;
}

/** Writes probes down as soon as the names of their sources are known. */
export class NamedRecorder implements Disposable {
  readonly #options: NamedRecorderOptions;
  readonly #waiting = new Set<ProbeEvent>();

  /** Nothing waits yet. */
  constructor(options: NamedRecorderOptions) {
    this.#options = options;
  }

  /** Write these down, those of one source in the order in which they came. */
  record(events: readonly ProbeEvent[]): void {
    const room = MAX_WAITING - this.#waiting.size;
    for (const event of events.slice(0, room)) {
      this.#waiting.add(event);
      void this.#options.nameOf(event.decision.probe.source).then((name) => this.#tell(event, name));
    }
    if (events.length > room) this.#options.recorder.record(events.slice(room));
  }

  /** Write down what still waits, without names. Twice is harmless. */
  [Symbol.dispose](): void {
    for (const event of this.#waiting) this.#tell(event, undefined);
  }

  #tell(event: ProbeEvent, hostname: string | undefined): void {
    if (!this.#waiting.delete(event)) return;
    this.#options.recorder.record([hostname === undefined ? event : { ...event, hostname }]);
  }
}
