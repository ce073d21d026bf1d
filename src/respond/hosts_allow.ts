/**
 * hosts.allow read as libwrap reads it: which of its lines let an address in although hosts.deny keeps it out.
 *
 * Pure. hosts_access(5), hosts_options(5): hosts.allow comes first, and the first line that matches decides. What
 * depends on names (`.example.org`, LOCAL, KNOWN) or on other files is not judged here.
 * @module
 */
import { type Address, familyOf, formatAddress, parseAddress } from "../net/address.ts";
import { parsePrefix, prefixContains } from "../net/prefix.ts";

/** libwrap warns of longer lines and passes over them (BUFLEN of its tcpd.h). */
const MAX_LINE_BYTES = 2046;

/** A line of hosts.allow that lets somebody in. */
export interface AllowLine {
  /** From 1; the first of a line that goes on with a backslash. */
  readonly line: number;
  /** The rule as libwrap sees it. */
  readonly text: string;
}

/** The lines of `contents` that let `address` in; without an address, those that let anybody in. */
export function allowOverrides(contents: string, address?: Address): readonly AllowLine[] {
  const overrides: AllowLine[] = [];
  for (const { line, text } of logicalLines(contents)) {
    const rule = parseRule(text);
    if (rule === undefined || (address !== undefined && !matches(rule.clients, address))) continue;
    if (!rule.denies) overrides.push({ line, text });
    // Whoever is refused for every service here gets no further.
    else if (address !== undefined && rule.daemons.length === 1 && rule.daemons[0]?.toUpperCase() === "ALL") {
      break;
    }
  }
  return overrides;
}

interface Rule {
  readonly daemons: readonly string[];
  readonly clients: readonly string[];
  readonly denies: boolean;
}

function* logicalLines(contents: string): Iterable<AllowLine> {
  const physical = contents.split("\n");
  for (let at = 0; at < physical.length; at++) {
    const line = at + 1;
    let text = physical[at] ?? "";
    while (text.endsWith("\\") && at + 1 < physical.length) {
      // No more is kept than is needed to know that it is too long, and whether it goes on.
      text = text.slice(0, -1).slice(-MAX_LINE_BYTES - 1) + (physical[++at] ?? "");
    }
    if (text.length > MAX_LINE_BYTES) continue;
    if (text.trim() !== "" && !text.startsWith("#")) yield { line, text: text.trim() };
  }
}

function parseRule(text: string): Rule | undefined {
  const [daemons, clients, ...options] = splitFields(text);
  if (daemons === undefined || clients === undefined) return undefined;
  return {
    daemons: tokens(daemons),
    clients: tokens(clients),
    denies: options.some((option) => /^(deny|twist\b.*)$/i.test(option.trim())),
  };
}

/** At colons, except those within the brackets of an IPv6 address and those that a backslash precedes. */
function splitFields(text: string): readonly string[] {
  return (text.match(/(?:\[[^\]]*\]|\\:|[^:])+|(?<=:)(?=:|$)/g) ?? []).map((field) =>
    field.replaceAll("\\:", ":")
  );
}

function tokens(list: string): readonly string[] {
  return list.split(/[\s,]+/).filter((token) => token !== "");
}

/** `a EXCEPT b EXCEPT c` is `a EXCEPT (b EXCEPT c)`. */
function matches(clients: readonly string[], address: Address): boolean {
  const except = clients.findIndex((token) => token.toUpperCase() === "EXCEPT");
  const wanted = except < 0 ? clients : clients.slice(0, except);
  if (!wanted.some((token) => matchesToken(token, address))) return false;
  return except < 0 || !matches(clients.slice(except + 1), address);
}

function matchesToken(token: string, address: Address): boolean {
  const client = token.slice(token.indexOf("@") + 1);
  if (client.toUpperCase() === "ALL") return true;
  const text = formatAddress(address);
  if (client.startsWith("[")) return inPrefix(client.replace(/^\[([^\]]*)\]/, "$1"), address);
  if (/[*?]/.test(client)) return fits(client.toLowerCase(), text);
  if (client.endsWith(".")) return familyOf(address) === 4 && text.startsWith(client);
  return inPrefix(client, address);
}

function inPrefix(text: string, address: Address): boolean {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return prefixContains(prefix, address);
  const single = parseAddress(text);
  return single !== undefined && formatAddress(single) === formatAddress(address);
}

/** Without a regular expression: one with many stars would take for ever to find that it does not match. */
function fits(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let place = 0; place < text.length;) {
    const wanted = pattern[at];
    if (wanted === "*") {
      star = at++;
      resume = place;
    } else if (wanted === "?" || wanted === text[place]) {
      at++;
      place++;
    } else {
      if (star < 0) return false;
      at = star + 1;
      place = ++resume;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
