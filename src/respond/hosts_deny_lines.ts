/**
 * What hosts.deny is made of: the lines that libwrap obeys, ours marked, the administrator's left as they are. Pure.
 *
 * Each line of ours follows a comment that names its target; the pair comes and goes together. Not a comment at the
 * end of the line: libwrap knows none there and would take its words for further clients (hosts_access(5)).
 *
 * Contents are strings with one character for each byte, so that whatever encoding the administrator used survives.
 * @module
 */
import { Buffer } from "node:buffer";
import { familyOf, formatAddress, ipv4Address } from "../net/address.ts";
import { formatPrefix, isHostPrefix, parsePrefix, type Prefix } from "../net/prefix.ts";
import { fillTemplate, type TemplateValues } from "./template.ts";

const MARK = "# Banned by portsnare: ";

/** A line that keeps one target out. */
export interface DenyEntry {
  /** Whom. */
  readonly target: Prefix;
  /** The line, without its newline. */
  readonly line: string;
}

/** The line for a target. IPv6 goes in brackets, whether the template has them or not. */
export function denyLine(template: string, values: TemplateValues): string {
  const pattern = clientPattern(values.target);
  return fillTemplate(template.replaceAll(/\[\$TARGET\$\]|\$TARGET\$/g, () => pattern), values);
}

/** An address or prefix as a client pattern of hosts_access(5). */
export function clientPattern(target: Prefix): string {
  const address = formatAddress(target.address);
  if (familyOf(target.address) === 6) {
    return isHostPrefix(target) ? `[${address}]` : `[${address}]/${target.length}`;
  }
  if (isHostPrefix(target)) return address;
  const mask = target.length === 0 ? 0 : 0xffffffff << (32 - target.length);
  return `${address}/${formatAddress(ipv4Address(mask))}`;
}

/** The contents with these entries at the end; those that are there already are left out. */
export function withEntries(contents: string, entries: readonly DenyEntry[]): string {
  const lines = new Set(contents.split("\n").map((line) => line.trim()));
  const added: string[] = [];
  for (const { target, line } of entries) {
    const written = Buffer.from(line, "utf8").toString("latin1");
    if (lines.has(written.trim())) continue;
    lines.add(written.trim());
    added.push(`${MARK}${formatPrefix(target)}\n${written}\n`);
  }
  return added.length === 0 ? contents : contents + gap(contents) + added.join("");
}

/** The contents without what was added for these targets. */
export function withoutTargets(contents: string, targets: readonly Prefix[]): string {
  const gone = new Set(targets.map(formatPrefix));
  const lines = contents.split("\n");
  const kept: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const target = markedTarget(line);
    if (target === undefined || !gone.has(formatPrefix(target))) {
      kept.push(line);
      // Somebody may have put a line of their own behind our comment.
    } else if (namesClient(lines[at + 1] ?? "", target)) at++;
  }
  return kept.join("\n");
}

/** Whose lines of ours are there. */
export function markedTargets(contents: string): readonly Prefix[] {
  const lines = contents.split("\n");
  return lines.flatMap((line, at) => {
    const target = markedTarget(line);
    return target !== undefined && namesClient(lines[at + 1] ?? "", target) ? [target] : [];
  });
}

function markedTarget(line: string): Prefix | undefined {
  return line.startsWith(MARK) ? parsePrefix(line.slice(MARK.length).trim()) : undefined;
}

function namesClient(line: string, target: Prefix): boolean {
  return !line.startsWith("#") && line.includes(clientPattern(target));
}

/** What must stand between the last line and ours, so that they are not one: a backslash joins lines. */
function gap(contents: string): string {
  if (contents === "" || /(^|[^\\])\n$/.test(contents)) return "";
  return contents.endsWith("\\\n") ? "\n" : contents.endsWith("\\") ? "\n\n" : "\n";
}
