/**
 * Events to write down, with only what a test is about spelled out.
 * @module
 */
import type { Probe } from "../../../src/decode/probe.ts";
import type { Reason, Verdict } from "../../../src/detect/decision.ts";
import type { BlockEvent, ProbeEvent } from "../../../src/record/event.ts";
import type { Outcome } from "../../../src/respond/backend.ts";
import { address } from "../../lab/addresses.ts";

/** 20 November 2026, 20:45:46 UTC. */
export const TIME = 1795207546;

/** A SYN from 10.77.0.1 to port 23. */
export function probe(changes: Partial<Omit<Probe, "source">> & { readonly source?: string } = {}): Probe {
  const { source, ...rest } = changes;
  return {
    time: TIME,
    dest: address("10.77.0.2"),
    protocol: "tcp",
    port: 23,
    sourcePort: 40000,
    scan: "syn",
    flags: 2,
    hasOptions: false,
    ...rest,
    source: address(source ?? "10.77.0.1"),
  };
}

/** That probe, judged. */
export function probeEvent(
  verdict: Verdict,
  options: {
    readonly probe?: Probe;
    readonly reason?: Reason;
    readonly hostname?: string;
    readonly time?: number;
  } = {},
): ProbeEvent {
  const { probe: seen = probe(), reason = "first-probe", hostname, time = TIME } = options;
  return {
    type: "probe",
    time,
    decision: { verdict, reason, probe: seen, ports: 1, probes: 1 },
    ...(hostname === undefined ? {} : { hostname }),
  };
}

/** A ban for that probe. */
export function blockEvent(
  outcomes: readonly Outcome[],
  options: {
    readonly probe?: Probe;
    readonly hostname?: string;
    readonly seconds?: number;
    readonly time?: number;
  } = {},
): BlockEvent {
  const { probe: seen = probe(), hostname, seconds, time = TIME } = options;
  return {
    type: "block",
    time,
    decision: { verdict: "block", reason: "distinct-ports", probe: seen, ports: 3, probes: 4 },
    seconds,
    offence: 1,
    outcomes,
    ...(hostname === undefined ? {} : { hostname }),
  };
}
