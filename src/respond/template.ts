/**
 * PortSentry's command templates filled in: `$TARGET$`, `$PORT$` and `$MODE$`, wherever they stand. Pure.
 *
 * What is filled in is a parsed address, a number and one of six words, so that no text from the network ever reaches
 * a shell.
 * @module
 */
import type { Command, Config, Mode } from "../config/schema.ts";
import type { Protocol } from "../net/protocol.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";

/** How PortSentry calls its modes. */
export type PortSentryMode = "tcp" | "udp" | "stcp" | "sudp" | "atcp" | "audp";

/** What is filled in. */
export interface TemplateValues {
  /** Whom: `$TARGET$`. */
  readonly target: Prefix;
  /** The port that was asked for: `$PORT$`; 0 where a person asked for the ban. */
  readonly port: number;
  /** The mode that saw it: `$MODE$`. */
  readonly mode: PortSentryMode;
}

/** The actions whose template makes no sense without a target, by the names they have in PortSentry's file. */
const NEED_TARGET: Readonly<Record<TargetedAction, string>> = {
  kill_route: "KILL_ROUTE",
  kill_hosts_deny: "KILL_HOSTS_DENY",
};

/** An action whose template needs `$TARGET$`. */
export type TargetedAction = "kill_route" | "kill_hosts_deny";

/** The text with everything filled in. What was filled in is not looked through again. */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template.replace(/\$(TARGET|PORT|MODE)\$/g, (_, name: string) => {
    if (name === "TARGET") return formatPrefix(values.target);
    return name === "PORT" ? String(values.port) : values.mode;
  });
}

/** What is to be run: text goes to the shell, as PortSentry had it, a list goes without one. */
export function commandArgv(command: Command, values: TemplateValues): readonly string[] {
  if (typeof command === "string") return ["/bin/sh", "-c", fillTemplate(command, values)];
  return command.map((word) => fillTemplate(word, values));
}

/** The same as one line for the log. */
export function commandText(command: Command, values: TemplateValues): string {
  return fillTemplate(typeof command === "string" ? command : command.join(" "), values);
}

/** What is wrong with a template that names no target, in PortSentry's words; `undefined` when it does name one. */
export function targetFault(action: TargetedAction, template: Command): string | undefined {
  const words = typeof template === "string" ? [template] : template;
  if (words.some((word) => word.includes("$TARGET$"))) return undefined;
  return `No target variable specified in ${NEED_TARGET[action]} option. Skipping.`;
}

/** PortSentry's name for the mode in which a protocol is watched. SCTP and ICMP go with TCP. */
export function portSentryMode(config: Pick<Config, "tcp" | "udp">, protocol: Protocol): PortSentryMode {
  if (protocol === "udp") return MODES[config.udp.mode].udp;
  return MODES[config.tcp.mode].tcp;
}

const MODES: Readonly<Record<Mode, { readonly tcp: PortSentryMode; readonly udp: PortSentryMode }>> = {
  // Nothing is watched, but a person may still ask for a ban.
  off: { tcp: "tcp", udp: "udp" },
  connect: { tcp: "tcp", udp: "udp" },
  stealth: { tcp: "stcp", udp: "sudp" },
  advanced: { tcp: "atcp", udp: "audp" },
};
