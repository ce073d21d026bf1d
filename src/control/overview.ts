/**
 * What the daemon is doing at this moment, collected for `status`, `top` and `why`.
 * @module
 */
import type { Bans } from "../bans.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { ProtocolConfig } from "../config/schema.ts";
import type { SourceSummary } from "../detect/source_table.ts";
import type { EngineSetup } from "../engine_setup.ts";
import type { HostFacts } from "../host/host_facts.ts";
import { type Address, formatAddress } from "../net/address.ts";
import type { PortSet } from "../net/ports.ts";
import { quantity } from "../quantity.ts";
import type { State } from "../record/state/state.ts";
import { VERSION } from "../version.ts";
import type { Watch } from "../watch.ts";
import { reasonText } from "./reason_text.ts";
import type { EvidenceView, ProtocolView, SourceView, StatusView } from "./views.ts";

/** So many sources are listed by `top`. */
const TOP_SOURCES = 50;

/** Where the overview is taken from. */
export interface OverviewParts {
  /** The configuration and its files. */
  readonly loaded: LoadedConfig;
  /** What looks at packets. */
  readonly watch: Watch;
  /** The bans. */
  readonly bans: Bans;
  /** The state database. */
  readonly state: State;
  /** Facts of this host. */
  readonly host: HostFacts;
  /** The engine and the enforcer. */
  readonly engineSetup: EngineSetup;
  /** When the daemon was started, in seconds since the epoch. */
  readonly started: number;
  /** Now, in seconds since the epoch. */
  readonly now: number;
}

/** What the daemon is doing. */
export function statusOf(parts: OverviewParts): StatusView {
  const { loaded, watch, bans, state, host, engineSetup } = parts;
  const { config } = loaded;
  const trap = watch.trap();
  const { made, failed, refused } = bans.stats();
  return {
    version: VERSION,
    pid: Deno.pid,
    started: parts.started,
    config: loaded.sources,
    engines: watch.engines.map((engine) => engine.name),
    engineNote: engineSetup.note ?? null,
    tcp: protocolView(config.tcp, trap.tcp),
    udp: protocolView(config.udp, trap.udp),
    packets: watch.stats(),
    unanswered: [...host.unanswered(), watch.unanswered].filter(({ failures }) => failures > 0)
      .map(({ failures, lastFailure }) => ({ failures, last: lastFailure })),
    dismissed: Object.fromEntries(watch.detector.counters()),
    firewall: { name: engineSetup.backend.name, health: engineSetup.healthText() },
    bans: { active: bans.active, max: config.block.max_active, made, failed, refused },
    sources: { tracked: watch.detector.tracked(parts.now), max: config.detect.max_sources },
    protected: host.protected.entries().map(({ address, reason }) => ({
      address: formatAddress(address),
      reason: reasonText(reason, 0),
      saved: watch.saved(address),
    })),
    ignored: watch.ignore.prefixes().length,
    state: stateText(state),
  };
}

/** The sources with the most probes, the busiest first. */
export function topOf(parts: OverviewParts): readonly SourceView[] {
  const { watch, bans, now } = parts;
  return busiest(watch.detector.sources(now))
    .map(({ source, ports, probes, lastSeen }) => ({
      address: formatAddress(source),
      ports,
      probes,
      scans: [...new Set(watch.detector.evidence(source, now).map((probe) => probe.scan))],
      last: lastSeen,
      blocked: bans.has(source),
    }));
}

/** The probes that count against an address at this moment. */
export function pendingOf(address: Address, parts: OverviewParts): readonly EvidenceView[] {
  if (parts.bans.has(address)) return [];
  return parts.watch.detector.evidence(address, parts.now).map(({ protocol, port, scan, lastSeen }) => ({
    time: lastSeen,
    protocol,
    port,
    scan,
  }));
}

/** Why an address is never banned, in words. */
export function exemptionOf(address: Address, parts: OverviewParts): string | undefined {
  if (parts.watch.ignore.has(address)) return reasonText("ignore-list", 0);
  const reason = parts.host.protected.reasonFor(address);
  return reason === undefined ? undefined : reasonText(reason, 0);
}

/** The first of {@link topOf}. There may be millions: they are compared as they come by, and only the best are kept. */
export function busiest(sources: Iterable<SourceSummary>): readonly SourceSummary[] {
  const best: SourceSummary[] = [];
  const cut = (): void => {
    best.sort((a, b) => b.ports - a.ports || b.probes - a.probes || b.lastSeen - a.lastSeen);
    best.splice(TOP_SOURCES);
  };
  for (const source of sources) {
    best.push(source);
    if (best.length === 20 * TOP_SOURCES) cut();
  }
  cut();
  return best;
}

function protocolView(protocol: ProtocolConfig, trapped: PortSet): ProtocolView {
  const ports = protocol.mode === "connect" ? protocol.ports : trapped;
  return { mode: protocol.mode, response: protocol.response, ports: ports.toString() };
}

function stateText(state: State): string {
  const { health } = state;
  if (health.ok) return "kept";
  return `NOT KEPT: ${health.message} (${
    quantity(health.waiting, "change waits", "changes wait")
  }, ${health.forgotten} lost)`;
}
