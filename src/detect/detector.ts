/**
 * A frame in, a decision out: understand and judge in one call, the same for the daemon and for replay.
 * @module
 */
import type { Contact, Frame } from "../capture/frame.ts";
import type { Config } from "../config/schema.ts";
import type { Trap } from "../config/trap.ts";
import { classify, NOT_PROBE_REASONS } from "../decode/classify.ts";
import { decodePacket } from "../decode/decode.ts";
import { type Packet, UNKNOWN_REASONS } from "../decode/packet.ts";
import type { Probe } from "../decode/probe.ts";
import type { Address } from "../net/address.ts";
import { AskedQuestions } from "./asked.ts";
import { type Decision, IRRELEVANT_REASONS, type NotEvidence, type NotEvidenceReason } from "./decision.ts";
import { type EvidenceFacts, whyIrrelevant, whyNobody } from "./evidence.ts";
import { Judge, type JudgeFacts } from "./judge.ts";
import type { HashKey } from "./keyed_hash.ts";
import type { PortEvidence, SourceSummary } from "./source_table.ts";

/** Everything that only the host knows. */
export interface DetectorFacts extends EvidenceFacts, JudgeFacts {}

/** How a detector is made. */
export interface DetectorOptions {
  /** The configuration. */
  readonly config: Config;
  /** Its trap. */
  readonly trap: Trap;
  /** What only the host knows. */
  readonly facts: DetectorFacts;
  /** For tests, see {@link SourceTable}. */
  readonly key?: HashKey;
}

const REASONS: readonly NotEvidenceReason[] = [
  ...UNKNOWN_REASONS,
  ...NOT_PROBE_REASONS,
  ...IRRELEVANT_REASONS,
  "outgoing",
];

/** Takes frames and contacts, gives decisions. */
export class Detector {
  readonly #options: DetectorOptions;
  readonly #judge: Judge;
  readonly #asked: AskedQuestions;
  readonly #counters = new Map<NotEvidenceReason, number>(REASONS.map((reason) => [reason, 0]));

  /** Forgets everything that an earlier detector knew. */
  constructor(options: DetectorOptions) {
    this.#options = options;
    this.#judge = new Judge(options);
    this.#asked = new AskedQuestions(options.key === undefined ? {} : { key: options.key });
  }

  /** Judge a packet. Nothing of its bytes is kept. */
  inspect(frame: Frame): Decision | NotEvidence {
    return this.inspectPacket(decodePacket(frame.bytes, frame.wireLength), frame);
  }

  /** Judge a packet that was taken apart already. */
  inspectPacket(
    packet: Packet,
    { time, outgoing }: Pick<Frame, "time" | "outgoing">,
  ): Decision | NotEvidence {
    if (outgoing) return this.#noteOutgoing(packet, time);
    const classified = classify(packet, time);
    if (classified.kind === "none") return this.#dismiss(classified.reason, undefined);
    const { probe } = classified;
    const reason = whyIrrelevant(probe, {
      trap: this.#options.trap,
      facts: this.#options.facts,
      asked: this.#asked,
    });
    return reason === undefined ? this.#judge.judge(probe) : this.#dismiss(reason, probe);
  }

  /** Judge somebody who reached a bound trap socket. The kernel vouches for the destination and the port. */
  inspectContact(contact: Contact): Decision | NotEvidence {
    const probe: Probe = {
      time: contact.time,
      source: contact.source,
      dest: contact.dest,
      protocol: contact.protocol,
      port: contact.port,
      sourcePort: 0,
      scan: "connect",
      flags: 0,
      hasOptions: false,
    };
    const reason = whyNobody(contact.source, this.#options.facts);
    return reason === undefined ? this.#judge.judge(probe) : this.#dismiss(reason, probe);
  }

  /** The ports that a source asked for within the window. */
  evidence(source: Address, time: number): readonly PortEvidence[] {
    return this.#judge.evidence(source, time);
  }

  /** How many sources did something within the window. */
  tracked(time: number): number {
    return this.#judge.tracked(time);
  }

  /** Every source that did something within the window. */
  sources(time: number): Iterable<SourceSummary> {
    return this.#judge.sources(time);
  }

  /** A ban ended or was lifted: whatever the source does next is judged afresh. */
  forget(source: Address): void {
    this.#judge.forget(source);
  }

  /** How many packets were not judged so far, for each reason. All grow only. */
  counters(): ReadonlyMap<NotEvidenceReason, number> {
    return this.#counters;
  }

  #noteOutgoing(packet: Packet, time: number): NotEvidence {
    if (packet.kind === "udp" && this.#options.trap.udp.has(packet.sourcePort)) {
      const exchange = {
        remote: packet.dest,
        remotePort: packet.destPort,
        localPort: packet.sourcePort,
      };
      this.#asked.note(exchange, time);
    }
    return this.#dismiss("outgoing", undefined);
  }

  #dismiss(reason: NotEvidenceReason, probe: Probe | undefined): NotEvidence {
    this.#counters.set(reason, (this.#counters.get(reason) ?? 0) + 1);
    return { verdict: "not-evidence", reason, probe };
  }
}
