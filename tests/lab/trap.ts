/**
 * The kernel's trap in a host of the lab: our ruleset, the engine, and a judge that bans, without the rest of the daemon.
 * @module
 */
import { type Frame, type FrameSink } from "../../src/capture/frame.ts";
import { KernelEngine } from "../../src/capture/kernel_engine.ts";
import { TokenBucket } from "../../src/system/token_bucket.ts";
import { type Config, configSchema } from "../../src/config/schema.ts";
import { trapOf } from "../../src/config/trap.ts";
import type { Decision } from "../../src/detect/decision.ts";
import { Detector } from "../../src/detect/detector.ts";
import { formatAddress } from "../../src/net/address.ts";
import { hostPrefix } from "../../src/net/prefix.ts";
import { NftablesBackend } from "../../src/respond/nftables/backend.ts";
import { rulesetPlan } from "../../src/respond/nftables/plan.ts";
import { run } from "../../src/system/exec.ts";
import type { Host } from "./lab.ts";

/** The sections of a configuration, as they stand in a file. */
export type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A configuration in which everything is answered with a ban. */
export function blocking(sections: Sections = {}): Config {
  const merged: Record<string, unknown> = { ...sections };
  for (const name of ["tcp", "udp"]) merged[name] = { response: "block", ...sections[name] };
  return configSchema(() => undefined).parse(merged);
}

/** A backend for a host. Call it, and whatever it does, with the host entered. */
export function backendFor(config: Config, options: { readonly conntrack?: boolean } = {}): NftablesBackend {
  return new NftablesBackend({
    plan: rulesetPlan(config, {
      engine: "kernel",
      conntrack: options.conntrack ?? false,
      ephemeral: { first: 32768, last: 60999 },
    }),
    exec: run,
    monotonicMs: () => performance.now(),
  });
}

/** An armed trap. */
export class ArmedTrap implements FrameSink, AsyncDisposable {
  readonly backend: NftablesBackend;
  readonly engine: KernelEngine;
  /** Every decision, in order. */
  readonly decisions: Decision[] = [];
  /** Packets that said nothing, by reason. */
  readonly passed: string[] = [];
  readonly #detector: Detector;
  readonly #banned = new Set<string>();
  readonly #entered: Disposable;
  /** `block.rate`. */
  readonly #budget: TokenBucket;
  #due: Decision[] = [];

  private constructor(host: Host, config: Config, options: { readonly conntrack?: boolean }) {
    this.#entered = host.enter();
    this.#budget = new TokenBucket({ burst: config.block.rate, perSecond: config.block.rate });
    this.backend = backendFor(config, options);
    this.engine = new KernelEngine({
      sink: this,
      trapped: () => this.backend.counters().trapped + this.backend.counters().held,
    });
    this.#detector = new Detector({
      config,
      trap: trapOf(config),
      facts: {
        isOwn: (address) => [host.ipv4, host.ipv6].includes(formatAddress(address)),
        isForUs: (dest) => [host.ipv4, host.ipv6].includes(formatAddress(dest)),
        isClientPort: () => false,
        inGrace: () => false,
        isServed: () => false,
        isIgnored: () => false,
        protectedReason: () => undefined,
        isBlocked: (address) => this.#banned.has(formatAddress(address)),
      },
    });
  }

  /** Load the ruleset and start the engine. This process stays in the host until the trap is disposed. */
  static async arm(
    host: Host,
    config: Config,
    options: { readonly conntrack?: boolean } = {},
  ): Promise<ArmedTrap> {
    const trap = new ArmedTrap(host, config, options);
    await trap.backend.setup();
    await trap.engine.start();
    return trap;
  }

  /** See {@link FrameSink}. */
  frame(frame: Frame): void {
    const finding = this.#detector.inspect(frame);
    if (finding.verdict === "not-evidence") {
      this.passed.push(finding.reason);
      return;
    }
    this.decisions.push(finding);
    if (finding.verdict === "block" && this.#budget.take(performance.now())) this.#due.push(finding);
  }

  /** See {@link FrameSink}. */
  contact(): void {
    throw new Error("The kernel engine sees packets only");
  }

  /** See {@link FrameSink}. */
  flush(): void {
    const bans = this.#due.map(({ probe }) => ({ target: hostPrefix(probe.source), seconds: 3600 }));
    this.#due = [];
    for (const { target } of bans) this.#banned.add(formatAddress(target.address));
    if (bans.length > 0) void this.backend.block(bans);
  }

  /** The decisions about one source. */
  about(source: string): readonly Decision[] {
    return this.decisions.filter(({ probe }) => formatAddress(probe.source) === source);
  }

  /** Whether this source has been banned. */
  hasBanned(source: string): boolean {
    return this.#banned.has(source);
  }

  /** Stop the engine, remove the table, leave the host. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.stop();
    await this.backend.teardown();
    this.backend[Symbol.dispose]();
    this.#entered[Symbol.dispose]();
  }
}
