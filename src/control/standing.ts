/**
 * What the probes of a source that is not banned amount to, in words.
 * @module
 */
import type { Config } from "../config/schema.ts";
import { quantity } from "../quantity.ts";
import type { EvidenceView } from "./views.ts";

/** With so many ports it is a scanner whatever its packets were like. */
const PORTS_WITHOUT_DOUBT = 3;

/**
 * How far a source is from a ban, or why none was made; `undefined` where that cannot be said from its ports alone.
 *
 * @param pending The probes that count, one for each port.
 */
export function standingText(pending: readonly EvidenceView[], config: Config): string | undefined {
  const ports = pending.length;
  if (ports === 0) return undefined;
  const { scan_trigger: trigger, count } = config.detect;
  if (ports < trigger) {
    return count === "ports"
      ? `It has asked for ${quantity(ports, "port")}; ${trigger} make a scanner (detect.scan_trigger).`
      : undefined;
  }
  if (ports < PORTS_WITHOUT_DOUBT) return undefined;
  const sections = [
    ...new Set(pending.map(({ protocol }) => protocol === "udp" ? "udp" as const : "tcp" as const)),
  ];
  if (sections.some((name) => config[name].response !== "observe")) return undefined;
  const keys = sections.toSorted().map((name) => `${name}.response`).join(" and ");
  return `It is a scanner, and is logged and not banned: ${keys} = "observe".`;
}
