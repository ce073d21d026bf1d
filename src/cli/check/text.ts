/**
 * The report of `portsnare check` for people.
 * @module
 */
import { formatFault } from "../../errors.ts";
import { quantity } from "../../quantity.ts";
import type { Effect, ProtocolEffect } from "./effect.ts";
import type { CheckReport, Finding } from "./report.ts";

const RESPONSES = {
  observe: "scanners are logged",
  block: "scanners are banned",
  command: "kill_run_cmd is run",
} as const;

/** Port lists longer than this are cut; the JSON has them whole. */
const SHOWN_PORTS = 60;

/** What keeps the daemon from working, as `portsnare run` says it. */
export function errorLines({ findings }: CheckReport): readonly string[] {
  return findings.filter(({ level }) => level === "error").map(placed);
}

/** The report without its errors, for a configuration that could be read. */
export function reportText(report: CheckReport): string {
  const { ok, sources, findings, effect } = report;
  return [
    `Read ${sources.join(", ")}`,
    ...findings.filter(({ level }) => level !== "error").map((finding) =>
      `${finding.level}: ${placed(finding)}`
    ),
    ...(effect === undefined ? [] : ["", "What it will do here:", ...effectLines(effect)]),
    "",
    ok ? "This configuration can be used." : "This configuration cannot be used as it is.",
  ].join("\n");
}

function placed({ file, line, column, message }: Finding): string {
  return file === undefined || file === ""
    ? message
    : formatFault({ file, line: line ?? 0, column: column ?? 0, message });
}

function effectLines(effect: Effect): readonly string[] {
  const names = effect.ignoredNames.length;
  const rows: readonly (readonly [string, string])[] = [
    ["engine", `${effect.engine.engine} (${effect.engine.why})`],
    ["tcp", protocolText(effect.tcp)],
    ["udp", protocolText(effect.udp)],
    ["scanner", `${effect.trigger}`],
    ["ban", `${effect.bans}; by ${effect.enforcement.join(", ") || "nothing"}`],
    ["ignored", `${effect.ignoredPrefixes} addresses and prefixes, ${names} host names`],
    ["protected", effect.protected.join(", ") || "nobody"],
    ["history", effect.history],
  ];
  return rows.map(([name, text]) => `  ${name.padEnd(10)}${text}`);
}

function protocolText({ mode, trapped, count, response }: ProtocolEffect): string {
  if (mode === "off") return "off";
  const shown = trapped.length > SHOWN_PORTS
    ? `${trapped.slice(0, SHOWN_PORTS).replace(/,[^,]*$/, "")},…`
    : trapped;
  return `${mode}, ${quantity(count, "port")}${shown === "" ? "" : ` (${shown})`}; ${RESPONSES[response]}`;
}
