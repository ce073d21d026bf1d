/**
 * Probes and outcomes as the state database holds them, and back again without trusting the file.
 * @module
 */
import * as z from "zod";
import { type Probe, SCAN_TYPES } from "../../decode/probe.ts";
import { formatAddress, parseAddress } from "../../net/address.ts";
import type { Outcome } from "../../respond/backend.ts";

const port = z.int().min(0).max(65535);
const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "not an address" });
  return z.NEVER;
});

const probesSchema = z.array(z.object({
  time: z.number(),
  source: address,
  dest: address,
  protocol: z.enum(["tcp", "udp", "sctp", "icmp"]),
  port,
  sourcePort: port,
  scan: z.enum(SCAN_TYPES),
  flags: z.int(),
  hasOptions: z.boolean(),
}));

const outcomesSchema = z.array(z.union([
  z.object({ ok: z.literal(true), action: z.string(), detail: z.string().exactOptional() }),
  z.object({
    ok: z.literal(false),
    action: z.string(),
    error: z.string(),
    detail: z.string().exactOptional(),
  }),
]));

/** Probes in the form that is stored. */
export function probesToJson(probes: readonly Probe[]): string {
  return JSON.stringify(probes.map((probe) => ({
    ...probe,
    source: formatAddress(probe.source),
    dest: formatAddress(probe.dest),
  })));
}

/** Stored probes; none when the text is damaged. */
export function probesFromJson(text: unknown): readonly Probe[] {
  return probesSchema.safeParse(parsed(text)).data ?? [];
}

/** Outcomes in the form that is stored. */
export function outcomesToJson(outcomes: readonly Outcome[]): string {
  return JSON.stringify(outcomes);
}

/** Stored outcomes; none when the text is damaged. */
export function outcomesFromJson(text: unknown): readonly Outcome[] {
  return outcomesSchema.safeParse(parsed(text)).data ?? [];
}

function parsed(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // A damaged row; the caller gives what "none" is.
    return undefined;
  }
}
