/**
 * Events as JSON for machines: one object a line, its members always in the same order.
 * @module
 */
import { formatAddress } from "../net/address.ts";
import { escapeName } from "./escape.ts";
import { banResult, type BlockEvent, type ProbeEvent, type ScanEvent } from "./event.ts";

type Outcome = BlockEvent["outcomes"][number];
/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The event in one line of JSON without a newline. */
export function eventJson(event: ScanEvent): string {
  // JSON leaves DEL, C1 controls and line separators as they are; a log line must not.
  return JSON.stringify(eventFields(event)).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The members of the object that {@link eventJson} writes. */
function eventFields(event: ScanEvent): Readonly<Record<string, Json>> {
  switch (event.type) {
    case "probe":
      return probeFields(event);
    case "block":
      return blockFields(event);
    case "release":
      return {
        type: "release",
        time: event.time,
        target: event.target,
        cause: event.cause,
        outcomes: event.outcomes.map(outcomeFields),
      };
    case "releases": {
      const { type, time, cause, released, failed } = event;
      return { type, time, cause, released, failed };
    }
    case "notice":
      return { type: "notice", time: event.time, level: event.level, message: event.message };
  }
}

function probeFields(event: ProbeEvent): Readonly<Record<string, Json>> {
  const { probe, verdict, reason, ports, probes } = event.decision;
  return {
    type: "probe",
    time: event.time,
    source: formatAddress(probe.source),
    dest: formatAddress(probe.dest),
    protocol: probe.protocol,
    port: probe.port,
    scan: probe.scan,
    source_port: probe.sourcePort,
    flags: probe.flags,
    ip_options: probe.hasOptions,
    verdict,
    reason,
    ports,
    probes,
    ...nameFields(event),
  };
}

function blockFields(event: BlockEvent): Readonly<Record<string, Json>> {
  const { probe, reason, ports, probes } = event.decision;
  return {
    type: "block",
    time: event.time,
    source: formatAddress(probe.source),
    reason,
    ports,
    probes,
    protocol: probe.protocol,
    port: probe.port,
    scan: probe.scan,
    result: banResult(event.outcomes),
    seconds: event.seconds ?? null,
    offence: event.offence,
    outcomes: event.outcomes.map(outcomeFields),
    ...nameFields(event),
  };
}

function outcomeFields(outcome: Outcome): Json {
  return {
    action: outcome.action,
    ok: outcome.ok,
    ...(outcome.detail === undefined ? {} : { detail: outcome.detail }),
    ...(outcome.ok ? {} : { error: outcome.error }),
  };
}

function nameFields(event: ProbeEvent | BlockEvent): Readonly<Record<string, Json>> {
  return event.hostname === undefined ? {} : { hostname: escapeName(event.hostname) };
}
