/**
 * The grammar of the command line: arguments in, one tagged command out.
 * @module
 */
import { object, or } from "@optique/core/constructs";
import { message, text as words } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import type { NonEmptyString } from "@optique/core/nonempty";
import type { Parser } from "@optique/core/parser";
import { argument, command, constant, flag, option } from "@optique/core/primitives";
import { choice, string, type ValueParser } from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import { DURATION_FORM, parseDuration } from "../config/duration.ts";
import { CONFIG_FILE } from "../config/load.ts";
import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import { formatPrefix, parsePrefix, type Prefix } from "../net/prefix.ts";
import { type Command, PORTSENTRY_MODES } from "./command.ts";
import { formatListedPorts, type ListedPorts, parseListedPorts } from "./replay/listed_ports.ts";

const configFile = optional(option("-c", "--config", path({ metavar: "FILE" }), {
  description: message`Configuration: TOML, or a portsentry.conf. Default: the service's, ${
    words(CONFIG_FILE)
  } as installed.`,
}));
const json = withDefault(flag("--json", { description: message`Print JSON for programs.` }), false);

const run = command(
  "run",
  object({
    verb: constant("run"),
    config: configFile,
    modes: multiple(option("--mode", choice(PORTSENTRY_MODES, { metavar: "MODE" }), {
      description: message`Watch in this mode instead of the configured one; once for TCP and once for UDP.`,
    })),
    dryRun: withDefault(
      flag("--dry-run", { description: message`Detect and log, but change nothing on this host.` }),
      false,
    ),
    teardown: withDefault(
      flag("--teardown", {
        description: message`Take everything of portsnare out of the kernel and hosts.deny, and leave.`,
      }),
      false,
    ),
  }),
  {
    brief: message`Detect port scans and answer them, in the foreground.`,
    footer: message`PortSentry's -tcp, -udp, -stcp, -sudp, -atcp and -audp work in place of "run --mode".`,
  },
);

const check = command("check", object({ verb: constant("check"), config: configFile, json }), {
  brief: message`Say whether the configuration is right and what it will do here.`,
});

const convert = command(
  "convert",
  object({
    verb: constant("convert"),
    file: argument(path({ metavar: "FILE" }), { description: message`A portsentry.conf of 1.2 or 2.` }),
    defaults: optional(option("--default", path({ metavar: "FILE" }), {
      description: message`Where TCP_MODE and UDP_MODE are set, usually /etc/default/portsentry.`,
    })),
    ignore: multiple(option("--ignore", path({ metavar: "FILE" }), {
      description: message`An ignore file to take over as well; may be repeated.`,
    })),
    output: optional(option("-o", "--output", path({ metavar: "OUT" }), {
      description: message`Write here instead of standard output.`,
    })),
  }),
  { brief: message`Write TOML from a PortSentry configuration.` },
);

const status = command("status", object({ verb: constant("status"), config: configFile, json }), {
  brief: message`Show what the daemon watches, protects and has done.`,
});
const list = command("list", object({ verb: constant("list"), config: configFile, json }), {
  brief: message`List the bans in force.`,
});
const why = command(
  "why",
  object({
    verb: constant("why"),
    address: argument(addressValue(), { description: message`An IPv4 or IPv6 address.` }),
    config: configFile,
    json,
  }),
  { brief: message`Tell the story of an address: what it did, what was done about it, when it ends.` },
);
const top = command("top", object({ verb: constant("top"), config: configFile, json }), {
  brief: message`List the sources with the most probes.`,
});

const block = command(
  "block",
  object({
    verb: constant("block"),
    target: argument(prefixValue(), { description: message`An address or prefix, IPv4 or IPv6.` }),
    seconds: optional(option("--for", durationValue(), {
      description: message`How long, such as 2h, or permanent. Default: block.duration.`,
    })),
    reason: optional(
      option("--reason", string({ metavar: "TEXT" }), { description: message`Shown by why.` }),
    ),
    force: withDefault(flag("--force", { description: message`Even if the address is protected.` }), false),
    config: configFile,
    json,
  }),
  { brief: message`Ban an address or prefix by hand.` },
);

const unblock = command(
  "unblock",
  object({
    verb: constant("unblock"),
    target: or(
      argument(prefixValue(), { description: message`The address or prefix that is banned.` }),
      map(flag("--all", { description: message`Lift every ban.` }), () => "all" as const),
    ),
    config: configFile,
    json,
  }),
  { brief: message`Lift a ban and take back everything that was done for it.` },
);

const reload = command("reload", object({ verb: constant("reload"), config: configFile, json }), {
  brief: message`Make the daemon read its configuration again.`,
});

const replay = command(
  "replay",
  object({
    verb: constant("replay"),
    capture: argument(path({ metavar: "CAPTURE" }), {
      description: message`A pcap or pcapng file; - for standard input.`,
    }),
    local: optional(option("--local", listValue("ADDRESS,…", parseAddress, formatAddress), {
      description: message`Which addresses are the watched host's. Left out: the likely ones are named.`,
    })),
    open: optional(option("--open", openPortsValue(), {
      description:
        message`Its open ports, such as ${"22,80,udp:514"}. Default: those that answer in the capture.`,
    })),
    config: optional(option("-c", "--config", path({ metavar: "FILE" }), {
      description: message`Configuration to judge by. Default: every default, but with response = "block".`,
    })),
    json,
  }),
  { brief: message`Judge a capture file as the daemon would have. Changes nothing, needs no privilege.` },
);

/**
 * The parser of the whole command line.
 *
 * @ignore Its type is the library's.
 */
export const commandLine: Parser<"sync", Command, unknown> = or(
  or(run, check, convert, replay),
  or(status, list, why, top),
  or(block, unblock, reload),
);

/**
 * PortSentry's own command line (`-atcp`, `-audp`, …), with options of `run` behind it or not, in our spelling; every
 * other one unchanged.
 *
 * @param args Arguments without the program's name.
 */
export function translatePortsentryArguments(args: readonly string[]): readonly string[] {
  const modes = args.map((arg) => PORTSENTRY_MODES.find((mode) => arg === `-${mode}`));
  if (modes[0] === undefined) return args;
  return [
    "run",
    ...args.flatMap((arg, index) => modes[index] === undefined ? [arg] : ["--mode", modes[index]]),
  ];
}

function valueOf<T>(spec: {
  readonly metavar: NonEmptyString;
  readonly placeholder: T;
  readonly parse: (text: string) => T | undefined;
  readonly format: (value: T) => string;
  readonly expected: string;
}): ValueParser<"sync", T> {
  return {
    mode: "sync",
    metavar: spec.metavar,
    placeholder: spec.placeholder,
    format: spec.format,
    parse(text) {
      const value = spec.parse(text);
      return value === undefined
        ? { success: false, error: message`${text} is not ${words(spec.expected)}.` }
        : { success: true, value };
    },
  };
}

function addressValue(): ValueParser<"sync", Address> {
  return valueOf({
    metavar: "ADDRESS",
    placeholder: { w0: 0, w1: 0, w2: 0, w3: 0 },
    parse: parseAddress,
    format: formatAddress,
    expected: "an IPv4 or IPv6 address",
  });
}

function prefixValue(): ValueParser<"sync", Prefix> {
  return valueOf({
    metavar: "ADDRESS",
    placeholder: { address: { w0: 0, w1: 0, w2: 0, w3: 0 }, length: 128 },
    parse: parsePrefix,
    format: formatPrefix,
    expected: "an address or prefix, such as 192.0.2.7 or 2001:db8::/64",
  });
}

function durationValue(): ValueParser<"sync", number> {
  return valueOf({
    metavar: "DURATION",
    placeholder: 0,
    parse: (text) => {
      const seconds = parseDuration(text);
      return seconds === 0 ? undefined : seconds;
    },
    format: String,
    expected: `a duration: ${DURATION_FORM}, or "permanent"`,
  });
}

function openPortsValue(): ValueParser<"sync", ListedPorts> {
  return valueOf<ListedPorts>({
    metavar: "PORTS",
    placeholder: {},
    parse: parseListedPorts,
    format: formatListedPorts,
    expected: "a list of ports, such as 22,80,8000-8010,udp:53",
  });
}

function listValue<T>(
  metavar: NonEmptyString,
  parse: (text: string) => T | undefined,
  format: (value: T) => string,
): ValueParser<"sync", readonly T[]> {
  return valueOf({
    metavar,
    placeholder: [] as readonly T[],
    parse: (text) => {
      const items = text.split(",").map(parse);
      const known = items.filter((item) => item !== undefined);
      return known.length === items.length ? known : undefined;
    },
    format: (values) => values.map(format).join(","),
    expected: "a list of addresses, such as 192.0.2.1,2001:db8::1",
  });
}
