/**
 * One run of the detector over a capture: the daemon's own code, with a host made of what the capture says.
 *
 * What a capture cannot say (gateways, resolvers, sessions that protect somebody) is not assumed.
 * @module
 */
import { Reassembler } from "../../capture/reassembly.ts";
import type { Config, ProtocolConfig } from "../../config/schema.ts";
import { type Trap, trapOf } from "../../config/trap.ts";
import { isAckType } from "../../decode/classify.ts";
import { decodePacket } from "../../decode/decode.ts";
import type { Probe } from "../../decode/probe.ts";
import type { Decision, NotEvidence } from "../../detect/decision.ts";
import { Detector } from "../../detect/detector.ts";
import { isTrapped } from "../../detect/evidence.ts";
import { hostKey } from "../../net/address.ts";
import { DEFAULT_EPHEMERAL_PORTS, isWithin } from "../../net/ports.ts";
import { hostPrefix, type PrefixSet } from "../../net/prefix.ts";
import { BanBook } from "../../respond/ban_book.ts";
import { banSeconds } from "../../respond/ban_length.ts";
import type { IpFrame } from "./frames.ts";
import type { OpenPorts } from "./open_ports.ts";
import { type Fate, SourceReports } from "./source_reports.ts";

/** A probe, and what was made of it. */
export interface Finding {
  /** The probe. */
  readonly probe: Probe;
  /** What became of it; `undefined` for one that the configuration does not trap or that went to an open port. */
  readonly decision: Decision | undefined;
  /** Whether the configuration traps the port. */
  readonly trapped: boolean;
  /** Whether the port is open; then this is told because the source is a scanner. */
  readonly open: boolean;
}

/** What a trial is held with. */
export interface TrialOptions {
  /** As the daemon would have it. */
  readonly config: Config;
  /** The watched host. */
  readonly host: OpenPorts;
  /** Who is ignored. */
  readonly ignored: PrefixSet;
  /** Sources known to be scanners, by {@link hostKey}: what they asked of open ports belongs to their scan. */
  readonly scanners: ReadonlySet<number | string>;
}

/** A run over a capture. */
export class Trial {
  /** What each source did. */
  readonly reports: SourceReports;
  readonly #options: TrialOptions;
  readonly #trap: Trap;
  readonly #detector: Detector;
  readonly #bans = new BanBook();
  readonly #reassembler = new Reassembler();

  /** A run that has seen nothing yet. */
  constructor(options: TrialOptions) {
    const { config, host } = options;
    this.#options = options;
    this.reports = new SourceReports(config.detect.max_sources);
    this.#trap = trapOf({ ...config, tcp: packetsOf(config.tcp), udp: packetsOf(config.udp) });
    this.#detector = new Detector({
      config,
      trap: this.#trap,
      facts: {
        isOwn: (address) => host.isLocal(address),
        isForUs: (dest) => host.isLocal(dest),
        isClientPort: (port) => isWithin(DEFAULT_EPHEMERAL_PORTS, port),
        inGrace: () => false,
        isServed: (probe) => host.isOpen(probe.dest, probe.protocol, probe.port),
        isIgnored: (address) => this.#options.ignored.has(address),
        protectedReason: () => undefined,
        isBlocked: (address) => this.#bans.has(address),
      },
    });
  }

  /** Judge a frame. @returns What it asked, if that is to be told. */
  take(frame: IpFrame): Finding | undefined {
    const whole = this.#reassembler.add(frame, frame.time);
    if (whole === undefined) return undefined;
    const packet = decodePacket(whole.bytes, whole.wireLength);
    const outgoing = packet.kind !== "unknown" && this.#options.host.isLocal(packet.source);
    this.#releaseDue(frame.time);
    const result = this.#detector.inspectPacket(packet, { time: frame.time, outgoing });
    const finding = result.verdict === "not-evidence" ? this.#aside(result) : this.#judged(result);
    if (finding !== undefined) this.#count(finding);
    return finding;
  }

  #judged(decision: Decision): Finding {
    return { probe: decision.probe, decision, trapped: true, open: false };
  }

  /** A probe that is no evidence is still told when it asked a closed port, or when a scanner asked an open one. */
  #aside({ reason, probe }: NotEvidence): Finding | undefined {
    if (probe === undefined || (reason !== "untrapped" && reason !== "served")) return undefined;
    if (!isWatched(probe, this.#options.config)) return undefined;
    const open = this.#options.host.isOpen(probe.dest, probe.protocol, probe.port);
    const ofScan = !isAckType(probe.scan) && this.#options.scanners.has(hostKey(probe.source));
    if (open && !ofScan) return undefined;
    return { probe, decision: undefined, trapped: isTrapped(probe, this.#trap), open };
  }

  #count({ probe, decision }: Finding): void {
    const banned = this.reports.count(probe, this.#fate(probe, decision));
    if (decision?.verdict !== "block") return;
    if (this.#bans.size >= this.#options.config.block.max_active) return;
    const seconds = banSeconds(this.#options.config.block, (banned ?? 0) + 1) ?? Infinity;
    this.#bans.add({ target: hostPrefix(probe.source), until: probe.time + seconds });
  }

  #fate(probe: Probe, decision: Decision | undefined): Fate {
    if (decision === undefined) return this.#options.ignored.has(probe.source) ? "ignored" : "observe";
    switch (decision.verdict) {
      case "ignored":
      case "protected":
      case "block":
        return decision.verdict;
      default:
        return "observe";
    }
  }

  #releaseDue(now: number): void {
    for (const { target } of this.#bans.takeDue(now, 64)) this.#detector.forget(target.address);
  }
}

/** Mode `connect` watches by sockets of its own, which a capture has not: its ports are then trapped as in `stealth`. */
function packetsOf(protocol: ProtocolConfig): ProtocolConfig {
  return protocol.mode === "connect" ? { ...protocol, mode: "stealth" } : protocol;
}

/** Whether the configuration counts this kind of packet as a probe at all. */
function isWatched(probe: Probe, config: Config): boolean {
  if (probe.protocol === "icmp") return config.detect.icmp;
  return probe.protocol !== "sctp" || config.detect.sctp;
}
