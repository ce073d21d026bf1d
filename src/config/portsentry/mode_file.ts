/**
 * Reads TCP_MODE and UDP_MODE from /etc/default/portsentry, which is a piece of shell.
 * @module
 */
import type { Fault } from "../../errors.ts";
import { FaultList } from "../fault_list.ts";
import type { Mode } from "../schema.ts";

/** What the file says. */
export interface ModeFile {
  /** How TCP is watched. */
  readonly tcp: Mode;
  /** How UDP is watched. */
  readonly udp: Mode;
  /** Values that PortSentry's start script refuses. */
  readonly faults: readonly Fault[];
}

const MODES: Readonly<Record<"tcp" | "udp", Readonly<Record<string, Mode>>>> = {
  tcp: { "": "off", tcp: "connect", stcp: "stealth", atcp: "advanced" },
  udp: { "": "off", udp: "connect", sudp: "stealth", audp: "advanced" },
};

/** Reads the text of /etc/default/portsentry. A mode that is not set there is off, as PortSentry has it. */
export function parseModeFile(text: string, file: string): ModeFile {
  const modes: { tcp: Mode; udp: Mode } = { tcp: "off", udp: "off" };
  const faults = new FaultList(file);
  for (const [index, line] of text.split("\n").entries()) {
    const match = /^\s*(?:export\s+)?(TCP|UDP)_MODE=(?:"([^"]*)"|'([^']*)'|([^\s#;"']*))/.exec(line);
    if (match === null) continue;
    const protocol = match[1] === "TCP" ? "tcp" : "udp";
    const value = match[2] ?? match[3] ?? match[4] ?? "";
    const mode = Object.hasOwn(MODES[protocol], value) ? MODES[protocol][value] : undefined;
    if (mode !== undefined) modes[protocol] = mode;
    else {
      const known = Object.keys(MODES[protocol]).map((name) => `"${name}"`).join(", ");
      const message = `${match[1]}_MODE: expected ${known}, found ${JSON.stringify(value)}`;
      faults.add(index + 1, () => message, line.indexOf("=") + 2);
    }
  }
  return { ...modes, faults: faults.list() };
}
