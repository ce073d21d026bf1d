/**
 * One configuration at work: the trap, the engines, the facts that the detector asks for, and the pipeline between them.
 *
 * A reload builds another one. What outlives a configuration (bans, state, log, the host's facts) is passed in.
 * @module
 */
import type { Bans } from "./bans.ts";
import { ConnectEngine } from "./capture/connect_engine.ts";
import { makeEngines } from "./capture/engines.ts";
import type { Engine, EngineStats } from "./capture/frame.ts";
import { RawEngine } from "./capture/raw_engine.ts";
import type { Config } from "./config/schema.ts";
import { type Trap, trapOf } from "./config/trap.ts";
import type { Probe, ScanType } from "./decode/probe.ts";
import type { Decision } from "./detect/decision.ts";
import { Detector } from "./detect/detector.ts";
import { Grace, type GracePort } from "./detect/grace.ts";
import { responseTo } from "./detect/judge.ts";
import { formatFault, messageOf } from "./errors.ts";
import type { HostFacts } from "./host/host_facts.ts";
import { IgnoreList } from "./host/ignore_list.ts";
import { ServedCache } from "./host/served_cache.ts";
import { ServiceWatch } from "./host/services.ts";
import { TranslatedPorts } from "./host/translated_ports.ts";
import type { Unanswered } from "./host/unanswered.ts";
import { type Address, addressKey } from "./net/address.ts";
import { isWithin, PortSet } from "./net/ports.ts";
import { hostPrefix } from "./net/prefix.ts";
import { Pipeline, type Suspect } from "./pipeline.ts";
import { NamedRecorder } from "./record/named_recorder.ts";
import type { Recorder } from "./record/recorder.ts";
import { rehearse } from "./rehearsal.ts";
import type { NftablesBackend } from "./respond/nftables/backend.ts";
import { BoundedCounter } from "./system/bounded_counter.ts";
import type { BootClock } from "./system/clock.ts";

/** Addresses of which it is counted how often being protected saved them. */
const MAX_SAVED = 4096;

/** Scan types that put nobody into quarantine. */
const UNHELD: readonly ScanType[] = ["ack", "window", "maimon", "icmp", "connect"];

/** What a watch is made with. */
export interface WatchParts {
  /** The configuration. */
  readonly config: Config;
  /** Facts of this host. */
  readonly host: HostFacts;
  /** Makes the bans. */
  readonly bans: Bans;
  /** Tells what was seen. */
  readonly recorder: Recorder;
  /** The time. */
  readonly clock: BootClock;
  /** Our table; `undefined` where nf_tables is not used at all. */
  readonly table: NftablesBackend | undefined;
  /** Which engine looks at packets. */
  readonly engine: "kernel" | "raw";
  /** The ignore list of the watch before this one. Default: none. */
  readonly ignoredBefore?: IgnoreList | undefined;
}

/** A configuration at work. */
export class Watch implements AsyncDisposable {
  readonly #parts: WatchParts;
  readonly #trap: Trap;
  readonly #ignore: IgnoreList;
  readonly #grace: Grace;
  readonly #services: ServiceWatch;
  readonly #served: ServedCache;
  readonly #translated: TranslatedPorts;
  readonly #detector: Detector;
  /** Where names are asked for. */
  readonly #named: NamedRecorder | undefined;
  #engines: readonly Engine[] = [];
  /** The ports that the raw engine's filter leaves out, as text. */
  #narrowedTo = "";
  #toldFaults = new Set<string>();
  /** How often being protected saved an address. */
  readonly #saved = new BoundedCounter(MAX_SAVED);

  /** Nothing is watched before {@link Watch.start}. */
  static async open(parts: WatchParts): Promise<Watch> {
    const { config, host } = parts;
    const ignore = await IgnoreList.open({
      hosts: config.ignore.hosts,
      files: config.ignore.files,
      resolve: (name) => host.resolve(name),
      before: parts.ignoredBefore,
    });
    return new Watch(parts, ignore);
  }

  private constructor(parts: WatchParts, ignore: IgnoreList) {
    const { config, host, clock, recorder } = parts;
    this.#parts = parts;
    this.#ignore = ignore;
    this.#trap = trapOf(config);
    this.#grace = new Grace({
      graceSeconds: config.detect.grace,
      trapped: (protocol, port) => this.#trap[protocol].has(port),
    });
    this.#services = new ServiceWatch({
      sockets: host.sockets,
      grace: this.#grace,
      now: () => clock.bootSeconds(),
      onChange: (change) => parts.table?.changeGrace(change),
    });
    this.#translated = new TranslatedPorts(clock.monotonicMs);
    this.#served = new ServedCache({
      sockets: host.sockets,
      conntrack: host.conntrack,
      monotonicMs: clock.monotonicMs,
      onTranslated: (packet) => this.#translated.learn(packet),
    });
    this.#detector = new Detector({ config, trap: this.#trap, facts: this.#facts() });
    this.#named = config.detect.resolve_host
      ? new NamedRecorder({ recorder, nameOf: (source) => host.names.nameOf(source) })
      : undefined;
  }

  /** The detector, for what it remembers of a source. */
  get detector(): Detector {
    return this.#detector;
  }

  /** What the kernel did not say of the listeners of this host. */
  get unanswered(): Unanswered {
    return this.#services.unanswered;
  }

  /** The engines at work. */
  get engines(): readonly Engine[] {
    return this.#engines;
  }

  /** The ports that are trapped now, those with a listener, in grace, or translated to others taken out. */
  trap(): Trap {
    const everywhere = this.#taken().filter(({ address }) => address === undefined);
    const taken = (protocol: "tcp" | "udp" | "sctp"): PortSet =>
      PortSet.of(...everywhere.filter((at) => at.protocol === protocol).map(({ port }) => port));
    return {
      tcp: this.#trap.tcp.without(taken("tcp")),
      udp: this.#trap.udp.without(taken("udp")),
      sctp: this.#trap.sctp.without(taken("sctp")),
      icmp: this.#trap.icmp,
    };
  }

  /** The ignore list as it is now. */
  get ignore(): IgnoreList {
    return this.#ignore;
  }

  /** How often this address was saved by being protected. */
  saved(address: Address): number {
    return this.#saved.get(addressKey(address));
  }

  /** Arm the trap. Ports of `known` had a listener before we were started, and are in grace. */
  async start(known: Parameters<Grace["restore"]>[0]): Promise<void> {
    const { config, table, engine, host, bans } = this.#parts;
    this.#grace.restore(known, this.#parts.clock.bootSeconds());
    this.#services.look();
    this.publish();
    this.#tellIgnoreFaults();
    this.#ignore.onChange(() => {
      this.publish();
      this.#tellIgnoreFaults();
    });
    rehearse({
      config,
      trap: this.#trap,
      facts: this.#facts(),
      confirm: (decision) => this.#confirm(decision),
      // To lift a ban that is not there takes the same way to the kernel as to make one.
      act: (source) => {
        const target = hostPrefix(source);
        if (!bans.holds(target)) void table?.release([target]);
      },
    });
    this.#engines = makeEngines({
      config,
      sink: this.#pipeline(),
      trapped: engine === "kernel" && table !== undefined ? () => trappedBy(table) : undefined,
      trap: this.trap(),
      ephemeral: host.ephemeralPorts(),
    });
    this.#narrowedTo = this.#excluded();
    for (const started of this.#engines) await started.start();
    this.#services.start();
  }

  /** To be called each second: follows the ports that got, lost or outlived a listener, or are translated. */
  tick(): void {
    const excluded = this.#excluded();
    if (excluded !== this.#narrowedTo) this.#narrowFilter();
    this.#narrowedTo = excluded;
  }

  /** Ports to remember for the grace of the next start. */
  listeners(): ReturnType<Grace["remember"]> {
    return this.#grace.remember(this.#parts.clock.bootSeconds());
  }

  /** The counters of all engines together. */
  stats(): EngineStats {
    return this.#engines.map((engine) => engine.stats()).reduce(
      (sum, one) => ({
        trapped: sum.trapped + one.trapped,
        reported: sum.reported + one.reported,
        lost: sum.lost + one.lost,
      }),
      { trapped: 0, reported: 0, lost: 0 },
    );
  }

  /** Put everything that the kernel's sets hold there again: at start, after a change, and after somebody flushed them. */
  publish(): void {
    const { table, host, clock } = this.#parts;
    table?.setIgnored(this.#ignore.prefixes());
    table?.setProtected(host.protected.entries().map((entry) => entry.address));
    table?.setGrace(this.#grace.elements(clock.bootSeconds()));
  }

  /** What is watched, for the log. */
  describe(): readonly string[] {
    const { config } = this.#parts;
    const lines = (["tcp", "udp"] as const).map((protocol) => {
      const { mode, response, ports } = config[protocol];
      const watched = mode === "connect" ? ports : this.trap()[protocol];
      return `${protocol}: mode ${mode}, response ${response}${mode === "off" ? "" : `, ports ${watched}`}`;
    });
    const skipped = this.#engines.flatMap((engine) => engine instanceof ConnectEngine ? engine.skipped : []);
    return [
      ...lines,
      ...skipped.map(({ protocol, port, error }) =>
        `ERROR: could not bind ${protocol.toUpperCase()} socket: ${port}. Attempting to continue (${error})`
      ),
    ];
  }

  /** Stop watching. Bans and what is in the kernel stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#services[Symbol.dispose]();
    this.#ignore[Symbol.dispose]();
    for (const engine of this.#engines) await engine.stop();
    this.#named?.[Symbol.dispose]();
  }

  #pipeline(): Pipeline {
    const { config, bans, recorder, table, engine } = this.#parts;
    const quarantines = engine === "raw" && table !== undefined && config.block.quarantine > 0;
    return new Pipeline({
      detector: this.#detector,
      confirm: (decision) => this.#confirm(decision),
      bans,
      recorder: this.#named ?? recorder,
      ...(quarantines
        ? { quarantine: (suspects: readonly Suspect[]) => this.#quarantine(table, suspects) }
        : {}),
    });
  }

  /**
   * ACK-type packets open nothing and may be stray ones of a connection that was: nobody is held up for them. Nor for a
   * ping, nor for a contact of mode connect: who is held up reaches no further trap, so that a quick scan would never be
   * one. Nor is anybody who turned out to be logged in later in the same batch.
   */
  #quarantine(table: NftablesBackend, suspects: readonly Suspect[]): void {
    const { config, host } = this.#parts;
    const held = suspects.filter(({ probe }) =>
      responseTo(config, probe.protocol) === "block" && !UNHELD.includes(probe.scan) &&
      host.protected.reasonFor(probe.source) === undefined
    );
    if (held.length > 0) table.quarantine(held.map(({ probe, isNew }) => ({ address: probe.source, isNew })));
  }

  /** The last look before a ban: facts that change faster than they are followed are asked of the kernel once more. */
  #confirm(decision: Decision): Decision | undefined {
    const { probe } = decision;
    if (this.#parts.host.protected.isSessionNow(probe.source)) {
      this.#saved.add(addressKey(probe.source));
      return { ...decision, verdict: "protected", reason: "session" };
    }
    if (!this.#mayBeServed(probe) || !this.#served.isServedNow(probe)) return decision;
    // The source may have been put into quarantine for this very probe.
    void this.#parts.table?.release([hostPrefix(probe.source)]);
    return undefined;
  }

  /**
   * What fell into the kernel engine's trap is owned by no socket and translated to nobody, except for SCTP, which the
   * kernel's socket lookup does not know. A contact of mode connect reached a socket of ours.
   */
  #mayBeServed({ scan, protocol }: Probe): boolean {
    return scan !== "connect" && (this.#parts.engine === "raw" || protocol === "sctp");
  }

  #facts(): ConstructorParameters<typeof Detector>[0]["facts"] {
    const { host, bans, clock, engine } = this.#parts;
    const ephemeral = host.ephemeralPorts();
    return {
      isOwn: (address) => host.routes.isOwn(address),
      // Of what fell into the kernel's trap it knows better: an address may be so new that we have not heard of it.
      isForUs: (dest) => engine === "kernel" || host.routes.isOwn(dest),
      isClientPort: (port) => isWithin(ephemeral, port),
      inGrace: (probe) =>
        probe.protocol !== "icmp" &&
        this.#grace.standing({ ...probe, protocol: probe.protocol }, clock.bootSeconds()) === "grace",
      isServed: (probe) => this.#mayBeServed(probe) && this.#served.isServed(probe),
      isIgnored: (address) => this.#ignore.has(address),
      protectedReason: (address) => {
        const reason = host.protected.reasonFor(address);
        if (reason !== undefined) this.#saved.add(addressKey(address));
        return reason;
      },
      isBlocked: (address) => bans.has(address),
    };
  }

  /** The ports that are no trap at the moment: with a listener, in grace, or translated to others. */
  #taken(): readonly GracePort[] {
    const translated = this.#translated.ports().map((at) => ({ ...at, address: undefined }));
    return [...this.#grace.elements(this.#parts.clock.bootSeconds()), ...translated];
  }

  #excluded(): string {
    return this.#taken()
      .map(({ protocol, address, port }) => `${protocol} ${address === undefined ? port : ""}`).toSorted()
      .join();
  }

  /** Lines of the ignore files that do nothing, each when it appears. */
  #tellIgnoreFaults(): void {
    const faults = this.#ignore.faults().map(formatFault);
    const news = faults.filter((text) => !this.#toldFaults.has(text));
    this.#toldFaults = new Set(faults);
    const time = this.#parts.clock.now();
    this.#parts.recorder.record(
      news.map((message) => ({ type: "notice", time, level: "warning", message })),
    );
  }

  /** The raw engine's filter leaves out ports that others serve, so that traffic to real services never reaches us. */
  #narrowFilter(): void {
    for (const engine of this.#engines) {
      if (!(engine instanceof RawEngine)) continue;
      try {
        engine.setTrap(this.trap());
      } catch (error) {
        this.#parts.recorder.record([{
          type: "notice",
          time: this.#parts.clock.now(),
          level: "warning",
          message: `The packet filter could not be renewed and stays as it was: ${messageOf(error)}`,
        }]);
      }
    }
  }
}

function trappedBy(table: NftablesBackend): number {
  const { trapped, held } = table.counters();
  return trapped + held;
}
