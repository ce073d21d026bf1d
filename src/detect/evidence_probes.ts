/**
 * What is remembered of a source, as the probes that it was.
 * @module
 */
import type { Probe } from "../decode/probe.ts";
import type { Address } from "../net/address.ts";
import type { PortEvidence } from "./source_table.ts";

/**
 * A probe for each remembered port, as far as it is known: which of our addresses was asked, from which port and with
 * which flags is not remembered of earlier ones.
 */
export function evidenceProbes(source: Address, evidence: readonly PortEvidence[]): readonly Probe[] {
  return evidence.map(({ protocol, port, scan, lastSeen }) => ({
    time: lastSeen,
    source,
    dest: source,
    protocol,
    port,
    sourcePort: 0,
    scan,
    flags: 0,
    hasOptions: false,
  }));
}
