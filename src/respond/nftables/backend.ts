/**
 * The nftables backend: our own table, which enforces bans and, for the kernel engine, holds the trap.
 *
 * The rules are loaded by nft in one transaction; elements of sets go by netlink.
 * @module
 */
import type { GraceChange, GraceElement } from "../../detect/grace.ts";
import { EXIT, SyscallError, UserError } from "../../errors.ts";
import { NETLINK } from "../../ffi/netlink_socket.ts";
import { NetlinkExchange } from "../../host/netlink_exchange.ts";
import { type Address, addressFromBytes, addressToBytes, type Family, familyOf } from "../../net/address.ts";
import { NFT_MSG, NFTA_TABLE } from "../../net/nf_tables.ts";
import { hostPrefix, type Prefix } from "../../net/prefix.ts";
import { type Exec, failureOf } from "../../system/exec.ts";
import { TokenBucket } from "../../system/token_bucket.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "../backend.ts";
import { DaemonSets } from "./daemon_sets.ts";
import { NetBans } from "./net_bans.ts";
import type { SetElement } from "./element.ts";
import { settleEach } from "./outcome.ts";
import type { RulesetPlan } from "./plan.ts";
import { buildRuleset, changedSets } from "./ruleset.ts";
import { SetElements } from "./set_elements.ts";
import { COUNTERS, setsOf, TABLE } from "./sets.ts";
import { missingIn, readCounters, readGeneration, readTable, type TableState } from "./table_state.ts";
import { Transactions } from "./transaction.ts";

/** nft on a small machine under load, with 65536 ignored prefixes. */
const NFT_TIMEOUT_MS = 20_000;
const FAMILIES = [4, 6] as const;

/** What a {@link NftablesBackend} needs. */
export interface NftablesOptions {
  /** What the table is to do at first. */
  readonly plan: RulesetPlan;
  /** Runs nft. */
  readonly exec: Exec;
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
}

/** Packets that our rules have counted since the table was made; see {@link COUNTERS}. */
export type TableCounters = Readonly<Record<keyof typeof COUNTERS, number>>;

/** Our table, and the bans in it. */
export class NftablesBackend implements Backend, Disposable {
  /** See {@link Backend.name}. */
  readonly name = "nftables";
  readonly #exec: Exec;
  readonly #transactions = new Transactions();
  readonly #elements = new SetElements(this.#transactions);
  readonly #nets: NetBans;
  readonly #sets: DaemonSets;
  readonly #monotonicMs: () => number;
  readonly #plan: RulesetPlan;
  /** `block.rate`, for {@link NftablesBackend.quarantine}; the kernel keeps it by itself where it holds the trap. */
  readonly #holds: TokenBucket;
  /** Sources that {@link NftablesBackend.quarantine} left free. */
  #unheld = 0;
  #exchange: NetlinkExchange | undefined;
  /** What was there when the table was last known to be whole, and the generation of that moment. */
  #whole: { readonly state: TableState; generation: number } | undefined;
  #loading: Promise<unknown> = Promise.resolve();

  /** Nothing is opened or changed yet. */
  constructor(options: NftablesOptions) {
    this.#plan = options.plan;
    this.#holds = new TokenBucket({ burst: options.plan.rate, perSecond: options.plan.rate });
    this.#monotonicMs = options.monotonicMs;
    this.#exec = options.exec;
    const parts = { elements: this.#elements, monotonicMs: options.monotonicMs };
    this.#nets = new NetBans(parts);
    this.#sets = new DaemonSets(parts);
  }

  /** Load the ruleset. What is in the sets stays, bans above all; rules are replaced in one step. */
  setup(): Promise<void> {
    const loaded = this.#loading.then(() => this.#load());
    this.#loading = loaded.catch(() => {
      // Whoever called is told; the next one begins afresh.
    });
    return loaded;
  }

  /**
   * Have nft and the kernel check the ruleset without loading it.
   *
   * @throws {UserError} For what {@link setup} would throw.
   */
  async rehearse(): Promise<void> {
    const existing = this.#refused("try", () => readTable(this.#asking));
    await this.#nft(buildRuleset(this.#plan, { existing }), ["--check"]);
  }

  /** See {@link Backend.block}. */
  block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    return Promise.resolve(settleEach(bans, (ban) => ban.target, {
      nets: (some) => this.#nets.put(some),
      hosts: (some, family) => {
        const elements = some.map(({ target, seconds }) => ({
          ...keyOf(target.address),
          ...(seconds === undefined ? {} : { timeoutMs: seconds * 1000 }),
        }));
        return some.every((ban) => ban.isAbsent === true)
          ? this.#elements.add(`banned${family}`, elements)
          : this.#elements.put(`banned${family}`, elements);
      },
    }));
  }

  /** See {@link Backend.release}. A source that is released may also open new connections at once. */
  release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    return Promise.resolve(settleEach(targets, (target) => target, {
      nets: (some) => this.#nets.remove(some),
      hosts: (some, family) => {
        const keys = some.map((target) => keyOf(target.address));
        this.#letGo(family, keys);
        return this.#elements.remove(`banned${family}`, keys);
      },
    }));
  }

  /** See {@link Backend.list}. */
  list(): Promise<readonly Ban[]> {
    return Promise.resolve([...this.#listHosts(), ...this.#nets.list()]);
  }

  /** See {@link Backend.check}: one question to the kernel, a few more when any ruleset has changed since the last. */
  check(): Promise<BackendHealth> {
    const failure = this.#sets.failure;
    const missing = failure ??
      (this.#whole === undefined ? `table inet ${TABLE}` : this.#missing(this.#whole));
    return Promise.resolve(missing === undefined ? { ok: true } : { ok: false, missing });
  }

  /** See {@link Backend.teardown}. */
  async teardown(): Promise<void> {
    await this.#loading;
    this.#whole = undefined;
    this.#sets.arm(new Set());
    this.#refused("remove", () => {
      try {
        this.#transactions.commit(`remove table inet ${TABLE}`, [
          { type: NFT_MSG.deleteTable, flags: 0, body: (writer) => writer.text(NFTA_TABLE.name, TABLE) },
        ]);
      } catch (error) {
        if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
      }
    });
  }

  /**
   * Keep these from opening anything new for a moment; the time of those who are kept already begins anew, unless they
   * are said to be new: then they cost less.
   *
   * Those beyond `block.rate`, and those whom the kernel refuses because the set is full or not there, are left free and
   * counted as `unseized`.
   */
  quarantine(held: readonly { readonly address: Address; readonly isNew?: boolean }[]): void {
    if (this.#plan.quarantineSeconds === 0) return;
    const now = this.#monotonicMs();
    const admitted = held.filter(() => this.#holds.take(now));
    this.#unheld += held.length - admitted.length;
    for (const family of FAMILIES) {
      const some = admitted.filter(({ address }) => familyOf(address) === family);
      const keys = some.map(({ address }) => keyOf(address));
      const errors = some.every(({ isNew }) => isNew === true)
        ? this.#elements.add(`quarantined${family}`, keys)
        : this.#elements.put(`quarantined${family}`, keys);
      this.#unheld += errors.filter((error) => error !== undefined).length;
    }
  }

  /** Never reported, never banned: these and no others. */
  setIgnored(prefixes: readonly Prefix[]): void {
    this.#sets.setIgnored(prefixes);
  }

  /**
   * Reported, never banned or held: these and no others. Whom the kernel has seized or quarantined already, because it
   * did not know better then, is free at once, and stays so when the protection ends.
   */
  setProtected(addresses: readonly Address[]): void {
    const added = this.#sets.setProtected(addresses);
    for (const family of FAMILIES) {
      this.#letGo(family, added.filter((address) => familyOf(address) === family).map(keyOf));
    }
  }

  /** The ports that are no trap now: these and no others. */
  setGrace(elements: readonly GraceElement[]): void {
    this.#sets.setGrace(elements);
  }

  /** More of them, or fewer. */
  changeGrace(change: GraceChange): void {
    this.#sets.changeGrace(change);
  }

  /** What the rules have counted, zeros without the table, and what {@link NftablesBackend.quarantine} left free. */
  counters(): TableCounters {
    const packets = readCounters(this.#asking);
    const of = (name: string): number => packets.get(name) ?? 0;
    return {
      trapped: of(COUNTERS.trapped),
      held: of(COUNTERS.held),
      blocked: of(COUNTERS.blocked),
      unseized: of(COUNTERS.unseized) + this.#unheld,
    };
  }

  /** Close the sockets; the table stays. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#transactions[Symbol.dispose]();
    this.#elements[Symbol.dispose]();
    this.#exchange?.[Symbol.dispose]();
  }

  get #asking(): NetlinkExchange {
    return this.#exchange ??= new NetlinkExchange(NETLINK.netfilter);
  }

  async #load(): Promise<void> {
    const plan = this.#plan;
    const existing = this.#refused("set up", () => readTable(this.#asking));
    // Only a changed bound makes a set of bans anew; what was in it is put back right behind.
    const lost = existing === undefined ? [] : changedSets(plan, existing);
    const bans = lost.some((name) => /^banned[46]$/.test(name)) ? this.#listHosts() : [];
    if (existing !== undefined) this.#nets.adopt();
    const names = new Set(setsOf(plan).map((set) => set.name));
    const text = buildRuleset(plan, { existing, contents: this.#sets.contents(names) });
    await this.#nft(text);
    this.#sets.arm(names);
    const state = readTable(this.#asking);
    if (state === undefined) {
      throw new UserError(`Cannot set up table inet ${TABLE}: it was removed again at once`);
    }
    this.#whole = { state, generation: readGeneration(this.#asking) };
    await this.block(bans);
  }

  async #nft(text: string, options: readonly string[] = []): Promise<void> {
    const result = await this.#exec(["nft", ...options, "-f", "-"], {
      stdin: text,
      timeoutMs: NFT_TIMEOUT_MS,
    });
    if (result.notStarted === "not-found") {
      throw new UserError(
        "Cannot set up the firewall rules: there is no nft; install Debian's package nftables",
      );
    }
    const failure = failureOf(result);
    if (failure === undefined) return;
    const exitCode = failure.includes("Operation not permitted") ? EXIT.permission : EXIT.unavailable;
    throw new UserError(`Cannot load our ruleset with nft: ${failure}`, { exitCode });
  }

  #missing(whole: { readonly state: TableState; generation: number }): string | undefined {
    const generation = readGeneration(this.#asking);
    if (generation === whole.generation) return undefined;
    const missing = missingIn(readTable(this.#asking), whole.state);
    if (missing === undefined) whole.generation = generation;
    return missing;
  }

  #listHosts(): readonly Ban[] {
    return FAMILIES.flatMap((family) =>
      this.#elements.list(`banned${family}`).map(({ key, remainingMs }) => ({
        target: hostPrefix(addressFromBytes(key, 0, family)),
        seconds: remainingMs === undefined ? undefined : Math.ceil(remainingMs / 1000),
      }))
    );
  }

  /** Out of the sets that the kernel fills by itself. What is lost when the table is not there, was not held. */
  #letGo(family: Family, elements: readonly SetElement[]): void {
    if (elements.length === 0) return;
    const names = [`seized${family}`, `quarantined${family}`];
    for (const { name } of setsOf(this.#plan)) {
      if (names.includes(name)) this.#elements.remove(name, elements);
    }
  }

  /** What the kernel refuses here, it refuses for a reason that somebody at the terminal can do something about. */
  #refused<T>(verb: "set up" | "try" | "remove", body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const denied = error.code === "EPERM" || error.code === "EACCES";
      const reason = denied
        ? "this needs root or CAP_NET_ADMIN"
        : `the kernel answered ${error.code}; it may lack nf_tables`;
      throw new UserError(`Cannot ${verb} table inet ${TABLE}: ${reason}`, {
        exitCode: denied ? EXIT.permission : EXIT.unavailable,
        cause: error,
      });
    }
  }
}

function keyOf(address: Address): SetElement {
  return { key: addressToBytes(address) };
}
