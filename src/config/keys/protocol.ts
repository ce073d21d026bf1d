/**
 * The sections `[tcp]` and `[udp]`: which ports are trapped and what is done about whoever touches them.
 * @module
 */
import { enum as oneOf, int } from "zod";
import type { PortSet } from "../../net/ports.ts";
import { key, type Keys } from "../key.ts";
import { ports, PORTS_FORM, type ServicePort } from "../value.ts";

/** How a protocol is watched. */
export type Mode = "off" | "connect" | "stealth" | "advanced";
/** What is done about a scanner. */
export type Response = "observe" | "block" | "command";

/** One of the sections `[tcp]` and `[udp]`. */
export interface ProtocolConfig {
  /** How this protocol is watched. */
  readonly mode: Mode;
  /** The ports of the modes connect and stealth. */
  readonly ports: PortSet;
  /** Mode advanced watches the ports below this number. */
  readonly advanced_below: number;
  /** The ports that mode advanced leaves alone. */
  readonly exclude: PortSet;
  /** What is done about a scanner. */
  readonly response: Response;
}

/** The ports of PortSentry 1.2's own configuration file, so that an empty file watches what PortSentry did. */
const PORTSENTRY_PORTS = {
  // deno-fmt-ignore
  tcp: [1, 11, 15, 79, 111, 119, 143, 540, 635, 1080, 1524, 2000, 5742, 6667, 12345, 12346, 20034, 27665, 31337,
    "32771-32774", 40421, 49724, 54320],
  // deno-fmt-ignore
  udp: [1, 7, 9, 69, 161, 162, 513, 635, 640, 641, 700, 31335, 31337, "32770-32774", 34555, 37444, 54321],
} as const;

/** PortSentry's exclusions, and the DHCP client port that it forgot. */
const EXCLUDED_PORTS = { tcp: [113, 139], udp: [67, 68, 137, 138, 520] } as const;

const EXCLUDE = "Ports that mode advanced leaves alone, because honest hosts ask for them unbidden.";
const EXCLUDE_HELP = {
  tcp:
    `${EXCLUDE} On a mail server add the mail ports that it does not serve (of 25, 110, 143, 465, 587, 993, 995): ` +
    "a mail program that is being set up tries them all.",
  udp: EXCLUDE,
} as const;

/** The keys of `[tcp]` or `[udp]`. */
export function protocolKeys(protocol: "tcp" | "udp", servicePort: ServicePort): Keys<ProtocolConfig> {
  const upper = protocol.toUpperCase();
  return {
    mode: key({
      check: oneOf(["off", "connect", "stealth", "advanced"]),
      default: "advanced",
      form: '"off", "connect", "stealth" or "advanced"',
      help:
        "off: not watched. connect: binds the ports of `ports`; a completed handshake or a datagram is a probe. " +
        "stealth: watches the ports of `ports` that no local service owns. advanced: watches every port below " +
        "`advanced_below` that no local service owns, except `exclude`.",
      portsentry: `${upper}_MODE`,
    }),
    ports: key({
      check: ports(protocol, servicePort),
      default: PORTSENTRY_PORTS[protocol],
      form: PORTS_FORM,
      help: "The trapped ports of the modes connect and stealth.",
      portsentry: `${upper}_PORTS`,
    }),
    advanced_below: key({
      check: int().min(1).max(65536),
      default: 1024,
      form: "1 to 65536",
      help: "Mode advanced watches the ports below this number.",
      portsentry: `ADVANCED_PORTS_${upper}`,
    }),
    exclude: key({
      check: ports(protocol, servicePort),
      default: EXCLUDED_PORTS[protocol],
      form: PORTS_FORM,
      help: EXCLUDE_HELP[protocol],
      portsentry: `ADVANCED_EXCLUDE_${upper}`,
    }),
    response: key({
      check: oneOf(["observe", "block", "command"]),
      default: "observe",
      form: '"observe", "block" or "command"',
      help: "observe: log only. block: ban the source (all of [actions]). command: run `kill_run_cmd` only.",
      portsentry: `BLOCK_${upper}`,
    }),
  };
}
