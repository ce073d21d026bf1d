/**
 * Bans enforced by iptables and ip6tables: a chain of our own, filled from an ipset where ipset works and with a rule
 * for each address where it does not.
 *
 * Stage "act". Nothing but the chain PORTSNARE, the jumps to it and the sets portsnare4 and portsnare6 is touched.
 * @module
 */
import { EXIT, UserError } from "../errors.ts";
import type { Family } from "../net/address.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import { type Exec, failureOf } from "../system/exec.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "./backend.ts";
import { addLine, createSetArgv, deleteLine, parseSet, setName } from "./ipset.ts";
import { changeRules, changeSet, type Run, runner } from "./iptables_changes.ts";
import {
  CHAIN,
  hasRule,
  iptablesArgv,
  type IptablesPrograms,
  PARENT_CHAINS,
  parseRules,
  programOf,
  setRule,
} from "./iptables_rules.ts";

/** Jumps removed from one parent chain; more than one is not of our making. */
const MAX_JUMPS = 8;

/** What the backend is made from. */
export interface IptablesOptions {
  /** Starts programs. */
  readonly exec: Exec;
  /** Whether the kernel speaks IPv6; without it ip6tables cannot work and is left out. */
  readonly hasIpv6: () => boolean;
  /** Default: `iptables` and `ip6tables`. */
  readonly programs?: IptablesPrograms;
  /** Whether to try ipset. Default: yes. */
  readonly useSets?: boolean;
}

/** The backend `iptables`. The caller sees to it that no two calls overlap. */
export class IptablesBackend implements Backend {
  /** The name in the configuration and in outcomes. */
  readonly name = "iptables";
  readonly #run: Run;
  readonly #hasIpv6: () => boolean;
  readonly #programs: IptablesPrograms;
  #useSets: boolean;

  /** Nothing is touched before {@link setup}. */
  constructor(options: IptablesOptions) {
    this.#run = runner(options.exec);
    this.#hasIpv6 = options.hasIpv6;
    this.#programs = options.programs ?? { iptables: "iptables", ip6tables: "ip6tables" };
    this.#useSets = options.useSets ?? true;
  }

  /** Make sets, chain and jumps, keeping what a previous run left in them. */
  async setup(): Promise<void> {
    for (const family of this.#families()) {
      if (this.#useSets) this.#useSets = await this.#makeSet(family);
    }
    for (const family of this.#families()) {
      if (!(await this.#makeChain(family))) {
        this.#useSets = false;
        return await this.setup();
      }
      for (const parent of PARENT_CHAINS) await this.#makeJump(family, parent);
    }
  }

  /** Ban, all of a family in one transaction. */
  async block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    const targets = bans.map((ban) => ban.target);
    const errors = this.#useSets
      ? await changeSet(this.#run, { verb: "add", lines: bans.map(addLine) })
      : await changeRules(this.#run, { verb: "-A", targets, programs: this.#programs });
    return targets.map((target, index) => this.#outcome(target, errors[index]));
  }

  /** Release, all of a family in one transaction. */
  async release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    const errors = this.#useSets
      ? await changeSet(this.#run, { verb: "del", lines: targets.map(deleteLine) })
      : await changeRules(this.#run, { verb: "-D", targets, programs: this.#programs });
    return targets.map((target, index) => this.#outcome(target, errors[index]));
  }

  /** What is enforced. Without sets the kernel knows no times: every ban then counts as permanent. */
  async list(): Promise<readonly Ban[]> {
    const bans: Ban[] = [];
    for (const family of this.#families()) {
      if (this.#useSets) {
        bans.push(...parseSet(await this.#must(["ipset", "save", setName(family)], "list bans")));
      } else {
        const targets = parseRules(await this.#must(this.#argv(family, ["-S", CHAIN]), "list bans"), family);
        bans.push(...targets.map((target) => ({ target, seconds: undefined })));
      }
    }
    return bans;
  }

  /** Whether jumps, chain and sets are there. */
  async check(): Promise<BackendHealth> {
    const missing = (await Promise.all(this.#families().map((family) => this.#missing(family))))
      .find((what) => what !== undefined);
    return missing === undefined ? { ok: true } : { ok: false, missing };
  }

  /** Remove jumps, chain and sets. */
  async teardown(): Promise<void> {
    for (const family of this.#families()) {
      for (const parent of PARENT_CHAINS) await this.#removeJumps(family, parent);
      // Each fails when there is nothing to remove.
      await this.#run(this.#argv(family, ["-F", CHAIN]));
      await this.#run(this.#argv(family, ["-X", CHAIN]));
      await this.#run(["ipset", "destroy", setName(family)]);
      const left = await this.#run(this.#argv(family, ["-S", CHAIN]));
      if (left.code === 0) {
        throw new UserError(`Cannot remove the ${programOf(family, this.#programs)} chain ${CHAIN}`);
      }
    }
  }

  #families(): readonly Family[] {
    return this.#hasIpv6() ? [4, 6] : [4];
  }

  /** @returns Whether sets can be used: ipset may be missing, or the kernel may have no part for it. */
  async #makeSet(family: Family): Promise<boolean> {
    return (await this.#run(createSetArgv(family))).code === 0;
  }

  /** @returns Whether it was made; if not, the kernel has sets but iptables no match for them. */
  async #makeChain(family: Family): Promise<boolean> {
    const there = await this.#run(this.#argv(family, ["-S", CHAIN]));
    if (there.code !== 0) await this.#must(this.#argv(family, ["-N", CHAIN]), `make the chain ${CHAIN}`);
    const rule = setRule(setName(family));
    const listing = there.code === 0 ? there.stdout : "";
    if (!this.#useSets) {
      // A set that a previous run used would keep its bans past their time.
      if (hasRule(listing, CHAIN, rule)) await this.#run(this.#argv(family, ["-D", CHAIN, ...rule]));
      return true;
    }
    if (parseRules(listing, family).length > 0) {
      await this.#must(this.#argv(family, ["-F", CHAIN]), `empty the chain ${CHAIN}`);
    } else if (hasRule(listing, CHAIN, rule)) return true;
    return (await this.#run(this.#argv(family, ["-A", CHAIN, ...rule]))).code === 0;
  }

  async #makeJump(family: Family, parent: string): Promise<void> {
    const there = await this.#run(this.#argv(family, ["-C", parent, "-j", CHAIN]));
    if (there.code === 0) return;
    await this.#must(this.#argv(family, ["-I", parent, "1", "-j", CHAIN]), `enter ${CHAIN} from ${parent}`);
  }

  async #removeJumps(family: Family, parent: string): Promise<void> {
    for (let count = 0; count < MAX_JUMPS; count++) {
      const removed = await this.#run(this.#argv(family, ["-D", parent, "-j", CHAIN]));
      if (removed.code !== 0) return;
    }
  }

  async #missing(family: Family): Promise<string | undefined> {
    const program = programOf(family, this.#programs);
    const set = setName(family);
    const [sets, chain, ...parents] = await Promise.all([
      this.#useSets ? this.#run(["ipset", "list", "-n", set]) : undefined,
      this.#useSets ? this.#run(this.#argv(family, ["-C", CHAIN, ...setRule(set)])) : undefined,
      ...PARENT_CHAINS.map((parent) => this.#run(this.#argv(family, ["-C", parent, "-j", CHAIN]))),
    ]);
    if (sets !== undefined && sets.code !== 0) return `ipset ${set}`;
    if (chain !== undefined && chain.code !== 0) return `${program} rule for ${set} in ${CHAIN}`;
    const lost = parents.findIndex((result) => result?.code !== 0);
    return lost < 0 ? undefined : `${program} jump from ${PARENT_CHAINS[lost]} to ${CHAIN}`;
  }

  #outcome(target: Prefix, error: string | undefined): Outcome {
    const detail = formatPrefix(target);
    return error === undefined
      ? { ok: true, action: this.name, detail }
      : { ok: false, action: this.name, error, detail };
  }

  #argv(family: Family, args: readonly string[]): readonly string[] {
    return iptablesArgv(programOf(family, this.#programs), args);
  }

  async #must(argv: readonly string[], what: string): Promise<string> {
    const result = await this.#run(argv);
    const failure = failureOf(result);
    if (failure === undefined) return result.stdout;
    const program = argv[0] ?? "";
    if (result.notStarted === "not-found") {
      throw new UserError(
        `Cannot ${what}: ${program} is not installed; install the Debian package ` +
          `${program === "ipset" ? "ipset" : "iptables"}, or choose another actions.firewall`,
      );
    }
    const denied = /permission denied|operation not permitted|must be root/i.test(result.stderr);
    throw new UserError(
      `Cannot ${what} with ${program}: ${failure}`,
      denied ? { exitCode: EXIT.permission } : {},
    );
  }
}
