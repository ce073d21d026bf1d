/**
 * Reads the port lists of portsentry.conf: numbers between commas (1.2), and ranges (2).
 * @module
 */
import { formatPortRange, parsePortRange, type PortRange } from "../../net/ports.ts";

/** What a port list says. */
export interface PortList {
  /** As TOML would have it: numbers, and ranges as text. */
  readonly ports: readonly (number | string)[];
  /** Whether there is a range, which PortSentry 1.2 does not know. */
  readonly hasRanges: boolean;
  /** What was left out or taken differently than PortSentry does. */
  readonly notes: readonly string[];
}

/** PortSentry 1.2 has room for this many ports; it forgets the rest of a list, and overruns its array of exclusions. */
const PORTSENTRY_MAX_PORTS = 64;

/** Reads a port list. Never fails: what is no port is left out, and said. */
export function parsePortList(value: string): PortList {
  const ports: (number | string)[] = [];
  const notes: string[] = [];
  let hasRanges = false;
  for (const item of value.split(",").map((text) => text.trim()).filter((text) => text !== "")) {
    const range = rangeOf(item);
    if (range === undefined) {
      notes.push(`${JSON.stringify(item)} is no port and is left out`);
      continue;
    }
    hasRanges ||= range.first !== range.last;
    ports.push(range.first === range.last ? range.first : formatPortRange(range));
    if (!/^\d+(?:-\d+)?$/.test(item)) {
      notes.push(`${JSON.stringify(item)} is taken as ${formatPortRange(range)}, as PortSentry does`);
    }
  }
  if (ports.length > PORTSENTRY_MAX_PORTS) {
    notes.push(`all ${ports.length} ports are taken; PortSentry 1.2 has room for ${PORTSENTRY_MAX_PORTS}`);
  }
  return { ports, hasRanges, notes };
}

/** A number, a range, or the number that a text begins with: what atoi(3) makes of it. */
function rangeOf(item: string): PortRange | undefined {
  const whole = parsePortRange(item);
  if (whole !== undefined) return whole;
  const start = /^\+?(\d+)(?!\d|\s*-)/.exec(item)?.[1];
  return start === undefined ? undefined : parsePortRange(start.replace(/^0+(?=\d)/, ""));
}
