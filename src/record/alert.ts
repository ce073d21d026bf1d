/**
 * PortSentry's log texts, which logcheck, logwatch and people's scripts look for, and texts in the same manner for what
 * PortSentry does not have.
 *
 * Pure: an event in, lines out. A failed action is never told as a block.
 * @module
 */
import { formatDuration } from "../config/duration.ts";
import { TCP_FLAG } from "../decode/packet.ts";
import type { Probe } from "../decode/probe.ts";
import type { Reason, Verdict } from "../detect/decision.ts";
import { formatAddress } from "../net/address.ts";
import { quantity } from "../quantity.ts";
import { escapeLine, escapeName } from "./escape.ts";
import {
  banResult,
  type BlockEvent,
  type Level,
  type NoticeEvent,
  type ProbeEvent,
  type ReleaseEvent,
  type ReleasesEvent,
  type ScanEvent,
} from "./event.ts";

const BY_HAND = "released by the administrator";

type Outcome = BlockEvent["outcomes"][number];

/** One line of the log, without time and identity. */
export interface LogLine {
  /** How loud. PortSentry logs everything as a notice; what failed is an error here. */
  readonly level: Level;
  /** The text, escaped. */
  readonly text: string;
}

/** The lines that tell of an event, in PortSentry's order. */
export function alertLines(event: ScanEvent): readonly LogLine[] {
  switch (event.type) {
    case "probe":
      return probeLines(event);
    case "block":
      return blockLines(event);
    case "release":
      return releaseLines(event);
    case "releases":
      return releasesLines(event);
    case "notice":
      return [noticeLine(event)];
  }
}

/** The name of the scan type of a probe, as PortSentry writes it (" TCP NULL scan" starts with a space there, too). */
function scanName(probe: Probe): string {
  switch (probe.scan) {
    case "connect":
      return "Connect";
    case "null":
      return " TCP NULL scan";
    case "xmas":
      return "TCP XMAS scan";
    case "fin":
      return "TCP FIN scan";
    case "syn":
      return "TCP SYN/Normal scan";
    case "ack":
      return "TCP ACK scan";
    case "window":
      return "TCP Window scan";
    case "maimon":
      return "TCP Maimon scan";
    case "udp":
      return "UDP scan";
    case "sctp":
      return "SCTP INIT scan";
    case "icmp":
      return "ICMP scan";
    case "unknown":
      return probe.protocol === "tcp"
        ? unknownTcp(probe.flags)
        : `Unknown Type: ${probe.protocol.toUpperCase()}`;
  }
}

/** How loud the lines on a probe are. PortSentry says nothing of what is below its trigger or on the ignore list. */
export function probeLevel(verdict: Verdict): Level {
  switch (verdict) {
    case "ignored":
      return "debug";
    case "below-trigger":
      return "info";
    case "protected":
    case "already-blocked":
    case "observe":
    case "block":
      return "notice";
  }
}

/** How many lines {@link alertLines} makes of a probe; counted without making them, for a flood has many. */
export function probeLineCount(event: ProbeEvent): number {
  const { verdict, probe } = event.decision;
  return 1 + (probe.hasOptions ? 1 : 0) + (verdict === "below-trigger" || verdict === "block" ? 0 : 1);
}

function unknownTcp(flags: number): string {
  const bit = (mask: number): number => (flags & mask) === 0 ? 0 : 1;
  return `Unknown Type: TCP Packet Flags: SYN: ${bit(TCP_FLAG.syn)} FIN: ${bit(TCP_FLAG.fin)} ` +
    `ACK: ${bit(TCP_FLAG.ack)} PSH: ${bit(TCP_FLAG.psh)} URG: ${bit(TCP_FLAG.urg)} RST: ${bit(TCP_FLAG.rst)}`;
}

function probeLines(event: ProbeEvent): readonly LogLine[] {
  const { verdict, probe, reason } = event.decision;
  const host = hostOf(event);
  const protocol = probe.protocol.toUpperCase();
  const level = probeLevel(verdict);
  const what = probe.protocol === "icmp" ? "ICMP type" : `${protocol} port`;
  const texts = [`attackalert: ${scanName(probe)} from host: ${host} to ${what}: ${probe.port}`];
  if (probe.hasOptions) {
    texts.push(
      `attackalert: Packet from host: ${host} to ${what}: ${probe.port} has IP options set ` +
        "(detection avoidance technique).",
    );
  }
  const after = verdictText(event, { host, protocol, reason });
  if (after !== undefined) texts.push(after);
  return texts.map((text) => ({ level, text }));
}

function verdictText(
  event: ProbeEvent,
  words: { readonly host: string; readonly protocol: string; readonly reason: Reason },
): string | undefined {
  const { verdict, probe } = event.decision;
  switch (verdict) {
    case "ignored":
      return `attackalert: Host: ${words.host} is on the ignore list. Ignoring`;
    case "protected":
      return `attackalert: Host: ${words.host} will not be blocked: the packet ${claim(words.reason)}`;
    case "already-blocked":
      // Two spellings, as in PortSentry's classic and stealth modes.
      return probe.scan === "connect"
        ? `attackalert: Host: ${formatAddress(probe.source)} is already blocked. Ignoring`
        : `attackalert: Host: ${words.host} is already blocked Ignoring`;
    case "observe":
      return `attackalert: Ignoring ${words.protocol} response per configuration file setting.`;
    case "below-trigger":
    case "block":
      return undefined;
  }
}

function claim(reason: Reason): string {
  switch (reason) {
    case "own-address":
      return "claims to come from this host itself";
    case "gateway":
      return "claims to come from the default gateway";
    case "resolver":
      return "claims to come from a name server in use";
    case "session":
      return "claims to come from the peer of an established session";
    default:
      return `claims to come from a protected address (${reason})`;
  }
}

function blockLines(event: BlockEvent): readonly LogLine[] {
  const lines = event.outcomes.flatMap((outcome) => outcomeLines(outcome, event));
  if (banResult(event.outcomes) !== "failed") return lines;
  const reasons = event.outcomes.filter((outcome) => !outcome.ok).map((outcome) => outcome.action).join(", ");
  return [...lines, {
    level: "err",
    text: `attackalert: ERROR: Could not block host ${hostOf(event)} !! (${escapeLine(reasons)})`,
  }];
}

function outcomeLines(outcome: Outcome, event: BlockEvent): readonly LogLine[] {
  const ip = formatAddress(event.decision.probe.source);
  return outcome.ok ? doneLines(outcome, event, ip) : [{ level: "err", text: failedText(outcome, ip) }];
}

function doneLines(outcome: Outcome, event: BlockEvent, ip: string): readonly LogLine[] {
  const detail = escapeLine(outcome.detail ?? "");
  const text = (() => {
    switch (outcome.action) {
      case "kill_hosts_deny":
        return `Host ${ip} has been blocked via wrappers with string: "${detail}"`;
      case "kill_route":
        return `Host ${ip} has been blocked via dropped route using command: "${detail}"`;
      case "kill_run_cmd":
        return `External command run for host: ${ip} using command: "${detail}"`;
      case "none":
        return undefined;
      default: {
        const length = event.seconds === undefined ? "permanently" : `for ${formatDuration(event.seconds)}`;
        const again = event.offence > 1 ? ` (offence ${event.offence})` : "";
        return `Host ${ip} has been blocked via ${escapeLine(outcome.action)} ${length}${again}`;
      }
    }
  })();
  return text === undefined ? [] : [{ level: "notice", text: `attackalert: ${text}` }];
}

function failedText(outcome: Extract<Outcome, { ok: false }>, ip: string): string {
  const error = escapeLine(outcome.error);
  const using = outcome.detail === undefined ? "" : ` using command: "${escapeLine(outcome.detail)}"`;
  switch (outcome.action) {
    case "kill_hosts_deny":
      return `securityalert: ERROR: There was an error trying to block host ${ip}: ${error}`;
    case "kill_route":
      return `adminalert: ERROR: There was an error trying to block host (exec fail) ${ip}: ${error}${using}`;
    case "kill_run_cmd":
      return `adminalert: ERROR: There was an error trying to run command (exec fail) for host: ${ip}: ${error}${using}`;
    default:
      return `adminalert: ERROR: There was an error trying to block host ${ip} via ${
        escapeLine(outcome.action)
      }: ` +
        error;
  }
}

function releaseLines(event: ReleaseEvent): readonly LogLine[] {
  const target = escapeLine(event.target, 64);
  const failed = event.outcomes.filter((outcome) => !outcome.ok);
  const why = event.cause === "expired" ? "the time of its ban is over" : BY_HAND;
  const lines: LogLine[] = failed.map((outcome) => ({
    level: "err",
    text: `adminalert: ERROR: Could not release host ${target} from ${escapeLine(outcome.action)}: ` +
      escapeLine(outcome.ok ? "" : outcome.error),
  }));
  if (failed.length > 0) return lines;
  return [{ level: "notice", text: `adminalert: Host ${target} is no longer kept out: ${why}` }];
}

function releasesLines({ cause, released, failed }: ReleasesEvent): readonly LogLine[] {
  const hosts = (count: number): string => quantity(count, "more host");
  const why = cause === "expired" ? "their time is over" : BY_HAND;
  const lines: LogLine[] = [];
  if (released > 0) {
    const are = released === 1 ? "is" : "are";
    lines.push({
      level: "notice",
      text: `adminalert: ${hosts(released)} ${are} no longer kept out: ${why}`,
    });
  }
  if (failed > 0) {
    lines.push({ level: "err", text: `adminalert: ERROR: Could not release ${hosts(failed)}` });
  }
  return lines;
}

function noticeLine(event: NoticeEvent): LogLine {
  const text = escapeLine(event.message);
  const named = /^(?:attack|admin|security)alert: /.test(text);
  return { level: event.level, text: named ? text : `adminalert: ${text}` };
}

/** `name/address`; the address twice where there is no name. */
function hostOf(event: ProbeEvent | BlockEvent): string {
  const ip = formatAddress(event.decision.probe.source);
  const name = event.hostname === undefined || event.hostname === "" ? ip : escapeName(event.hostname);
  return `${name}/${ip}`;
}
