/**
 * Which engine looks at packets and what enforces bans, chosen from the configuration and from what this host can do.
 * @module
 */
import { bansScanners, type Config } from "./config/schema.ts";
import { watchesPackets } from "./config/trap.ts";
import { messageOf, UserError } from "./errors.ts";
import type { HostFacts } from "./host/host_facts.ts";
import type { Backend, BackendHealth } from "./respond/backend.ts";
import { MissingBackend } from "./respond/missing.ts";
import { NoBackend } from "./respond/none.ts";
import { NftablesBackend } from "./respond/nftables/backend.ts";
import { rulesetPlan } from "./respond/nftables/plan.ts";
import { selectBackend } from "./respond/select.ts";
import { systemClock } from "./system/clock.ts";
import { run as exec } from "./system/exec.ts";

/** What the choice depends on besides the configuration. */
export interface SetupFacts {
  /** Facts of this host. */
  readonly host: HostFacts;
  /** Change nothing on this host. */
  readonly dryRun: boolean;
}

/** The engine and the enforcer at work. */
export class EngineSetup implements Disposable {
  /** Which engine looks at packets. */
  readonly engine: "kernel" | "raw";
  /** What enforces bans. */
  readonly backend: Backend;
  /** Our nftables table, where there is one. */
  readonly table: NftablesBackend | undefined;
  /** Why it is not the kernel engine although it could have been; `undefined` when there is nothing to say. */
  readonly note: string | undefined;
  #health: BackendHealth = { ok: true };

  /** Made by {@link chooseEngine}, set up. */
  constructor(parts: {
    readonly engine: "kernel" | "raw";
    readonly backend: Backend;
    readonly table?: NftablesBackend | undefined;
    readonly note?: string | undefined;
  }) {
    this.engine = parts.engine;
    this.backend = parts.backend;
    this.table = parts.table;
    this.note = parts.note;
  }

  /** Whether everything that was set up is still there. */
  async check(): Promise<BackendHealth> {
    for (const part of this.#parts()) {
      this.#health = await part.check();
      if (!this.#health.ok) break;
    }
    return this.#health;
  }

  /** Set up what is missing. */
  async setup(): Promise<void> {
    for (const part of this.#parts()) await part.setup();
  }

  /** Take down what `next` does not use any more. */
  async leaveTo(next: EngineSetup): Promise<void> {
    const kept = new Set(next.#parts().map((part) => part.name));
    for (const part of this.#parts()) {
      if (!kept.has(part.name)) await part.teardown();
    }
  }

  /** Close what was opened; what is in the kernel stays. */
  [Symbol.dispose](): void {
    this.table?.[Symbol.dispose]();
  }

  /** The last {@link check}, in words. */
  healthText(): string {
    return this.#health.ok ? "in place" : `MISSING: ${this.#health.missing}`;
  }

  #parts(): readonly Backend[] {
    return this.table === undefined || this.table === this.backend
      ? [this.backend]
      : [this.table, this.backend];
  }
}

/**
 * Choose, and set up what was chosen.
 *
 * @throws {UserError} When the configuration asks for something that this host cannot do.
 */
export async function chooseEngine(config: Config, facts: SetupFacts): Promise<EngineSetup> {
  if (facts.dryRun) return new EngineSetup({ engine: "raw", backend: new NoBackend() });
  const wantsKernel = config.detect.engine !== "raw" && watchesPackets(config);
  if (wantsKernel) {
    try {
      return await setUp("kernel", config, facts);
    } catch (error) {
      if (!(error instanceof UserError) || config.detect.engine === "kernel") throw error;
      const note = `The raw engine is used because the kernel engine cannot be: ${messageOf(error)}`;
      return await setUp("raw", config, { ...facts, note });
    }
  }
  return await setUp("raw", config, facts);
}

async function setUp(
  engine: "kernel" | "raw",
  config: Config,
  facts: SetupFacts & { readonly note?: string },
): Promise<EngineSetup> {
  const { host, note } = facts;
  const { firewall } = config.actions;
  using unused = new DisposableStack();
  const table = unused.use(
    new NftablesBackend({
      plan: rulesetPlan(config, {
        engine,
        conntrack: host.conntrack.inUse(),
        ephemeral: host.ephemeralPorts(),
      }),
      exec,
      monotonicMs: systemClock.monotonicMs,
    }),
  );
  if (firewall !== "nftables" && engine === "raw") {
    return new EngineSetup({ engine, note, backend: await enforcer(config, facts, table) });
  }
  try {
    await table.setup();
  } catch (error) {
    // Without a ban to make, a host that has no nftables can still observe.
    if (engine === "kernel" || bansScanners(config) || !(error instanceof UserError)) throw error;
    return new EngineSetup({ engine, note, backend: new MissingBackend(firewall, messageOf(error)) });
  }
  const backend = await enforcer(config, facts, table);
  unused.move();
  return new EngineSetup({ engine, note, table, backend });
}

async function enforcer(config: Config, { host }: SetupFacts, table: NftablesBackend): Promise<Backend> {
  const { firewall } = config.actions;
  const backend = selectBackend(firewall, { exec, nftables: () => table, hasIpv6: () => host.hasIpv6() });
  if (backend === table) return table;
  try {
    await backend.setup();
    return backend;
  } catch (error) {
    if (bansScanners(config) || !(error instanceof UserError)) throw error;
    return new MissingBackend(firewall, messageOf(error));
  }
}
