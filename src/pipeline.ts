/**
 * The whole way of a packet on one screen: see → understand → judge → act → remember.
 *
 * Engines call `frame` or `contact` for each thing they see and `flush` when nothing more is waiting; everything between
 * two flushes is acted on as one batch.
 * @module
 */
import type { Bans } from "./bans.ts";
import type { Contact, Frame, FrameSink } from "./capture/frame.ts";
import type { Decision, NotEvidence } from "./detect/decision.ts";
import type { Detector } from "./detect/detector.ts";
import type { Probe } from "./decode/probe.ts";
import { hostKey } from "./net/address.ts";
import type { ProbeEvent } from "./record/event.ts";

/** The stages, made by the daemon. */
export interface Stages {
  /** Understands and judges. */
  readonly detector: Pick<Detector, "inspect" | "inspectContact">;
  /** Keeps sources from opening anything new for a moment; left out where the kernel does it. */
  readonly quarantine?: (suspects: readonly Suspect[]) => void;
  /** The last look before a ban: the decision as it stands, another one, or `undefined` for no evidence after all. */
  readonly confirm: (decision: Decision) => Decision | undefined;
  /** Acts. */
  readonly bans: Pick<Bans, "make">;
  /** Remembers. */
  readonly recorder: { readonly record: (events: readonly ProbeEvent[]) => unknown };
}

/** A source to be held up. */
export interface Suspect {
  /** The last probe that was seen of the source. */
  readonly probe: Probe;
  /** Whether nothing was known of the source before this batch, so that nothing can have held it up already. */
  readonly isNew: boolean;
}

/** Takes what the engines see through all stages. */
export class Pipeline implements FrameSink {
  readonly #stages: Stages;
  #batch: Decision[] = [];

  /** The stages must be made for the same configuration. */
  constructor(stages: Stages) {
    this.#stages = stages;
  }

  /** Understand and judge a packet. */
  frame(frame: Frame): void {
    this.#take(this.#stages.detector.inspect(frame));
  }

  /** Judge a contact of mode `connect`. */
  contact(contact: Contact): void {
    this.#take(this.#stages.detector.inspectContact(contact));
  }

  /** Act on everything that was judged since the last flush, and remember it. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const decisions = this.#batch;
    this.#batch = [];
    const { quarantine, confirm, bans, recorder } = this.#stages;
    // What is dropped now is not answered while we ask, and what is banned not while we write.
    quarantine?.(suspectsAmong(decisions));
    const final = decisions.map((decision) => decision.verdict === "block" ? confirm(decision) : decision)
      .filter((decision) => decision !== undefined);
    void bans.make(final.filter((decision) => decision.verdict === "block"));
    recorder.record(final.map((decision) => ({ type: "probe", time: decision.probe.time, decision })));
  }

  #take(finding: Decision | NotEvidence): void {
    if (finding.verdict !== "not-evidence") this.#batch.push(finding);
  }
}

/**
 * Whom to hold up: each source that is not yet over the trigger, nor merely asking for a port again; and of those that
 * are to be banned whoever came with this very batch, because the last look before a ban takes longer than all the rest.
 */
function suspectsAmong(decisions: readonly Decision[]): readonly Suspect[] {
  const suspects = new Map<number | string, Suspect>();
  for (const { verdict, reason, probe, probes } of decisions) {
    const key = hostKey(probe.source);
    const isNew = suspects.get(key)?.isNew ?? probes === 1;
    if (reason === "below-trigger" || (verdict === "block" && isNew)) suspects.set(key, { probe, isNew });
    else if (verdict === "block") suspects.delete(key);
  }
  return [...suspects.values()];
}
