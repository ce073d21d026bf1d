/**
 * The section `[ignore]`: who is never reported or never banned.
 * @module
 */
import { array, enum as oneOf, string } from "zod";
import { parseIgnoreEntry } from "../ignore_entry.ts";
import type { PortSet } from "../../net/ports.ts";
import { key, type Keys } from "../key.ts";
import { paths, ports, PORTS_FORM, type ServicePort } from "../value.ts";

/** A kind of address that is found live on this host and never banned. */
export type Protection = "own-addresses" | "gateways" | "resolvers" | "sessions";

/** The section `[ignore]`. */
export interface IgnoreConfig {
  /** Addresses, prefixes and host names that are never reported, as written. */
  readonly hosts: readonly string[];
  /** Files with more of them, in PortSentry's syntax. */
  readonly files: readonly string[];
  /** Which addresses of this host's surroundings are never banned. */
  readonly protect: readonly Protection[];
  /** The local ports whose established sessions protect their peers once these have sent something. */
  readonly session_ports: PortSet;
}

/** Objects to an entry that would silently ignore nobody. */
function hasMeaning({ value, issues }: { readonly value: string; readonly issues: unknown[] }): void {
  const entry = parseIgnoreEntry(value);
  if (entry.kind === "nothing") issues.push({ code: "custom", input: value, message: entry.why });
}

/** The keys of `[ignore]`. */
export function ignoreKeys(servicePort: ServicePort): Keys<IgnoreConfig> {
  return {
    hosts: key({
      check: array(string().max(255).check(hasMeaning)).max(65536),
      default: ["127.0.0.0/8", "::1"],
      form: "an array of addresses, prefixes and host names",
      help: "Never reported, never banned. Host bits are allowed; names are looked up and followed.",
      portsentry: "IGNORE_FILE",
    }),
    files: key({
      check: paths(),
      default: [],
      form: "an array of absolute paths of files",
      help:
        "Files with one address, prefix or host name a line, in PortSentry's syntax. Changes take effect " +
        "at once; what a file said that cannot be read any more stands.",
      portsentry: "IGNORE_FILE, portsentry.ignore.static",
    }),
    protect: key({
      check: array(oneOf(["own-addresses", "gateways", "resolvers", "sessions"])).max(4),
      default: ["own-addresses", "gateways", "resolvers", "sessions"],
      form: 'an array of any of "own-addresses", "gateways", "resolvers", "sessions"',
      help: "Addresses found live on this host that are never banned, whatever a packet claims.",
    }),
    session_ports: key({
      check: ports("tcp", servicePort),
      default: [22],
      form: PORTS_FORM,
      help:
        "Peers of established TCP sessions on these local ports are protected once they have said something.",
    }),
  };
}
