/**
 * Which engines a configuration needs.
 * @module
 */
import type { Config } from "../config/schema.ts";
import { type Trap, trapOf } from "../config/trap.ts";
import { type PortRange, PortSet } from "../net/ports.ts";
import { ConnectEngine } from "./connect_engine.ts";
import type { Engine, FrameSink } from "./frame.ts";
import { KernelEngine } from "./kernel_engine.ts";
import { RawEngine } from "./raw_engine.ts";

/** What the engines are made from. */
export interface EngineParts {
  /** The configuration. */
  readonly config: Config;
  /** Takes what they see. */
  readonly sink: FrameSink;
  /** With the kernel engine: how many packets the ruleset has trapped. `undefined`: the raw engine. */
  readonly trapped: (() => number) | undefined;
  /** The ports that the raw engine watches at first. */
  readonly trap: Trap;
  /** The ports that this host connects from. */
  readonly ephemeral: PortRange;
}

/** One that looks at packets where any are trapped, and bound sockets for the protocols in mode connect. None is started. */
export function makeEngines(parts: EngineParts): readonly Engine[] {
  const { config, sink, trapped, trap, ephemeral } = parts;
  const engines: Engine[] = [];
  const { tcp, udp, sctp, icmp } = trapOf(config);
  if (tcp.size + udp.size + sctp.size > 0 || icmp) {
    engines.push(
      trapped === undefined ? new RawEngine({ sink, trap, ephemeral }) : new KernelEngine({ sink, trapped }),
    );
  }
  if (config.tcp.mode === "connect" || config.udp.mode === "connect") {
    engines.push(
      new ConnectEngine({
        sink,
        tcp: config.tcp.mode === "connect" ? config.tcp.ports : new PortSet(),
        udp: config.udp.mode === "connect" ? config.udp.ports : new PortSet(),
        ...(config.actions.port_banner === undefined ? {} : { banner: config.actions.port_banner }),
      }),
    );
  }
  return engines;
}
