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
import { addressKey } from "./net/address.ts";
import type { ProbeEvent } from "./record/event.ts";

/** The stages, made by the daemon. */
export interface Stages {
  /** Understands and judges. */
  readonly detector: Pick<Detector, "inspect" | "inspectContact">;
  /** The last look before a ban: the decision as it stands, another one, or `undefined` for no evidence after all. */
  readonly confirm: (decision: Decision) => Decision | undefined;
  /** Keeps sources that are not yet over the trigger from opening anything new; left out where the kernel does it. */
  readonly quarantine?: (decisions: readonly Decision[]) => void;
  /** Acts. */
  readonly bans: Pick<Bans, "make">;
  /** Remembers. */
  readonly recorder: { readonly record: (events: readonly ProbeEvent[]) => unknown };
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
    const { quarantine, bans, recorder } = this.#stages;
    // Acting begins before anything is written: what is dropped now is not answered while we write.
    const banned = decisions.filter((decision) => decision.verdict === "block");
    quarantine?.(suspectsAmong(decisions, banned));
    void bans.make(banned);
    recorder.record(decisions.map((decision) => ({ type: "probe", time: decision.probe.time, decision })));
  }

  #take(finding: Decision | NotEvidence): void {
    if (finding.verdict === "not-evidence") return;
    const decision = finding.verdict === "block" ? this.#stages.confirm(finding) : finding;
    if (decision !== undefined) this.#batch.push(decision);
  }
}

/**
 * The last decision about each source whose further packets are to be held up: not yet over the trigger, not merely
 * asking for one port again, and not banned a moment later anyway.
 */
function suspectsAmong(decisions: readonly Decision[], banned: readonly Decision[]): readonly Decision[] {
  const suspects = new Map<string, Decision>();
  for (const decision of decisions) {
    if (decision.verdict === "below-trigger" && decision.reason === "below-trigger") {
      suspects.set(addressKey(decision.probe.source), decision);
    }
  }
  for (const { probe } of banned) suspects.delete(addressKey(probe.source));
  return [...suspects.values()];
}
