/**
 * The stage "act": carries out bans and takes them back, through the firewall, hosts.deny and the administrator's
 * commands, and says honestly what became of each.
 *
 * Order. The firewall comes first, whatever the configuration: it costs microseconds, and a ban that waited for a
 * command would let the scan go on. The rest keeps PortSentry's order, which scripts may rely on: hosts.deny,
 * `kill_route`, `kill_run_cmd`; with `kill_run_cmd_first` the command, then hosts.deny and `kill_route`. Outcomes are
 * given in the order in which things were done.
 *
 * Nothing here throws: what fails is an outcome.
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { Decision } from "../detect/decision.ts";
import { messageOf } from "../errors.ts";
import { formatPrefix, type Prefix, prefixKey } from "../net/prefix.ts";
import type { Protocol } from "../net/protocol.ts";
import type { Exec } from "../system/exec.ts";
import type { Backend, Ban, Outcome } from "./backend.ts";
import { CommandRunner } from "./command.ts";
import { Firewall } from "./firewall.ts";
import { HostsDeny } from "./hosts_deny.ts";
import { commandText, portSentryMode, type TemplateValues } from "./template.ts";
import { undoOf } from "./undo.ts";

/** Somebody to be answered. */
export interface BlockRequest extends Ban {
  /** `block`: everything that is configured. `command`: only `kill_run_cmd`. */
  readonly response: "block" | "command";
  /** What led to it: fills in `$PORT$` and `$MODE$`. Left out when a person asked; the port is then 0. */
  readonly decision?: Decision;
  /** What `kill_route` did for an earlier ban of this target is still there. Default: no. */
  readonly isRouted?: boolean;
}

/** The part of the configuration that says which actions there are. */
export type ResponderConfig = Pick<Config, "tcp" | "udp" | "actions" | "files">;

/** What the responder is made from. */
export interface ResponderOptions {
  /** Says which actions there are. */
  readonly config: ResponderConfig;
  /** Enforces bans. Set up by the caller. */
  readonly backend: Backend;
  /** Starts programs. */
  readonly exec: Exec;
  /** Leave hosts.deny alone and run no command; the backend is then `none`. Default: no. */
  readonly dryRun?: boolean;
  /** Waits so many milliseconds before a failed ban is tried again. Default: a timer. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

/** Commands that take something back run so many at once: those that block find room beside them. */
const MAX_TAKING_BACK = 2;

/** Carries out bans. */
export class Responder {
  readonly #exec: Exec;
  readonly #firewall: Firewall;
  readonly #dryRun: boolean;
  #config: ResponderConfig;
  #commands: CommandRunner;
  #hostsDeny: HostsDeny;
  /** Files that an earlier configuration named, by path: our lines there would outlive their bans. */
  readonly #formerHostsDeny = new Map<string, HostsDeny>();
  /** What this process banned and did not release. A ban under way is not yet saved, and yet must not be swept away. */
  readonly #made = new Set<number | string>();

  /** Carries out nothing yet. */
  constructor(options: ResponderOptions) {
    this.#exec = options.exec;
    this.#dryRun = options.dryRun ?? false;
    this.#firewall = new Firewall(options.backend, options.sleep);
    this.#config = options.config;
    this.#commands = this.#commandRunner();
    this.#hostsDeny = new HostsDeny(options.config.files.hosts_deny);
  }

  /** Follow another configuration, with another backend where it asks for one. What is under way ends as it began. */
  reconfigure(options: Pick<ResponderOptions, "config" | "backend">): void {
    const { config, backend } = options;
    this.#firewall.use(backend);
    if (config.files.hosts_deny !== this.#config.files.hosts_deny) {
      this.#formerHostsDeny.set(this.#config.files.hosts_deny, this.#hostsDeny);
      this.#formerHostsDeny.delete(config.files.hosts_deny);
      this.#hostsDeny = new HostsDeny(config.files.hosts_deny);
    }
    this.#config = config;
    this.#commands = this.#commandRunner();
  }

  /**
   * Answer each of these, and say for each what was done. The firewall is told of all of them at once and, unless it
   * is still busy with earlier ones, before this returns.
   */
  async block(requests: readonly BlockRequest[]): Promise<readonly (readonly Outcome[])[]> {
    const bans = requests.filter((request) => request.response === "block");
    for (const ban of bans) this.#made.add(prefixKey(ban.target));
    const enforced = this.#firewall.block(bans);
    const actions = await Promise.all(requests.map((request) => this.#act(request)));
    const results = await enforced;
    const outcomes = new Map(bans.map((ban, index) => [ban, results[index]]));
    for (const [ban, outcome] of outcomes) {
      if (outcome?.ok !== true) this.#made.delete(prefixKey(ban.target));
    }
    return requests.map((request, index) => {
      const ban = outcomes.get(request);
      return [...(ban === undefined ? [] : [ban]), ...(actions[index] ?? [])];
    });
  }

  /**
   * Take back everything that was done about these targets, and say for each what became of that.
   *
   * @param routed The command that `kill_route` is known to have been for a target, if it worked. Default: of none.
   */
  async release(
    targets: readonly Prefix[],
    routed: (target: Prefix) => string | undefined = () => undefined,
  ): Promise<readonly (readonly Outcome[])[]> {
    for (const target of targets) this.#made.delete(prefixKey(target));
    const lifted = await Promise.all([
      this.#firewall.release(targets),
      this.#releaseHostsDeny(targets),
      this.#takeBack(targets, routed),
    ]);
    return targets.map((_, index) =>
      lifted.map((outcomes) => outcomes[index]).filter((outcome) => outcome !== undefined)
    );
  }

  /**
   * Remove our lines of hosts.deny about these targets in one edit, before they are released a part at a time: an edit
   * costs as much as the file is long. What fails here fails again, and is told, at the release.
   */
  async clearHostsDeny(targets: readonly Prefix[]): Promise<void> {
    await this.#releaseHostsDeny(targets);
  }

  /**
   * Make the firewall and hosts.deny hold these bans and those made since: at start, and after somebody flushed them.
   * Commands are not run again.
   *
   * @returns What failed, and nothing when all is as it should be.
   */
  async restore(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    const keep = (target: Prefix): boolean => this.#made.has(prefixKey(target));
    const outcomes = await Promise.all([
      this.#firewall.restore(bans, keep),
      this.#restoreHostsDeny(bans, keep),
      this.#leaveFormerHostsDeny(),
    ]);
    return outcomes.flat().filter((outcome) => !outcome.ok);
  }

  /** Whether the firewall's objects had to be set up again for one ban, so that all others are to be restored. */
  takeMended(): boolean {
    return this.#firewall.takeMended();
  }

  /** Run `kill_route` for a ban of an earlier boot, where it is configured. */
  async reroute(
    ban: {
      readonly target: Prefix;
      readonly port: number | undefined;
      readonly protocol: Protocol | undefined;
    },
  ): Promise<Outcome | undefined> {
    const { kill_route } = this.#config.actions;
    if (kill_route === undefined || this.#dryRun) return undefined;
    const mode = portSentryMode(this.#config, ban.protocol ?? "tcp");
    return await this.#commands.run("kill_route", kill_route, {
      target: ban.target,
      port: ban.port ?? 0,
      mode,
    });
  }

  async #act(request: BlockRequest): Promise<readonly Outcome[]> {
    if (this.#dryRun) return [];
    const values = this.#valuesOf(request);
    const { kill_hosts_deny, kill_route, kill_run_cmd, kill_run_cmd_first } = this.#config.actions;
    const command = kill_run_cmd === undefined
      ? undefined
      : () => this.#commands.run("kill_run_cmd", kill_run_cmd, values);
    const walls = request.response === "command" ? [] : [
      kill_hosts_deny === undefined ? undefined : () => this.#hostsDeny.add(kill_hosts_deny, values),
      kill_route === undefined || request.isRouted === true
        ? undefined
        : () => this.#commands.run("kill_route", kill_route, values),
    ];
    const outcomes: Outcome[] = [];
    for (const step of kill_run_cmd_first ? [command, ...walls] : [...walls, command]) {
      if (step !== undefined) outcomes.push(await step());
    }
    return outcomes;
  }

  async #takeBack(
    targets: readonly Prefix[],
    routed: (target: Prefix) => string | undefined,
  ): Promise<readonly (Outcome | undefined)[]> {
    if (this.#dryRun) return [];
    const outcomes: (Outcome | undefined)[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < targets.length; index = next++) {
        const target = targets[index];
        if (target === undefined) return;
        outcomes[index] = await this.#takeBackOne(target, routed(target));
      }
    };
    await Promise.all(Array.from({ length: MAX_TAKING_BACK }, worker));
    return outcomes;
  }

  /**
   * `unblock_cmd` where there is one, and otherwise the opposite of what `kill_route` did, which may have been another
   * command than it is now.
   */
  async #takeBackOne(target: Prefix, routed: string | undefined): Promise<Outcome | undefined> {
    const { unblock_cmd, kill_route } = this.#config.actions;
    const values = this.#valuesOf({ target });
    if (unblock_cmd !== undefined) return final(await this.#commands.run("unblock_cmd", unblock_cmd, values));
    const isUnchanged = kill_route !== undefined &&
      (routed === undefined || routed === commandText(kill_route, values));
    const done = isUnchanged ? kill_route : routed;
    const undo = done === undefined ? undefined : undoOf(done);
    if (undo !== undefined) {
      const outcome = await this.#commands.run("undo_kill_route", undo, values, {
        wasDone: routed !== undefined,
      });
      // iptables may have been busy; but where nothing was done, there is nothing to try for.
      return routed === undefined ? final(outcome) : outcome;
    }
    if (routed === undefined) return undefined;
    const error = "what it did stays, because its opposite is not known; set actions.unblock_cmd";
    return { ok: false, action: "kill_route", error, detail: routed, isFinal: true };
  }

  async #releaseHostsDeny(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    // Lines that an earlier configuration wrote go, too; but a file that nobody asked us to write may be anything.
    if (this.#dryRun) return [];
    const concerned = this.#config.actions.kill_hosts_deny !== undefined || this.#hasDenyLines();
    return concerned ? await this.#hostsDeny.remove(targets) : [];
  }

  #hasDenyLines(): boolean {
    try {
      return this.#hostsDeny.targets().length > 0;
    } catch {
      // Nobody asked for this file to be written: one that cannot be read is left alone.
      return false;
    }
  }

  async #leaveFormerHostsDeny(): Promise<readonly Outcome[]> {
    const former = [...this.#formerHostsDeny.values()];
    this.#formerHostsDeny.clear();
    if (this.#dryRun) return [];
    return (await Promise.all(former.map(async (file) => {
      try {
        return await file.remove(file.targets());
      } catch (error) {
        return [{ ok: false, action: "kill_hosts_deny", error: messageOf(error) } as const];
      }
    }))).flat();
  }

  async #restoreHostsDeny(
    bans: readonly Ban[],
    keep: (target: Prefix) => boolean,
  ): Promise<readonly Outcome[]> {
    const template = this.#config.actions.kill_hosts_deny;
    if (template === undefined || this.#dryRun) return [];
    try {
      const wanted = new Set(bans.map((ban) => formatPrefix(ban.target)));
      const there = this.#hostsDeny.targets();
      const written = new Set(there.map(formatPrefix));
      const stale = there.filter((target) => !wanted.has(formatPrefix(target)) && !keep(target));
      const removed = this.#hostsDeny.remove(stale);
      const missing = bans.filter((ban) => !written.has(formatPrefix(ban.target)));
      const added = missing.map((ban) => this.#hostsDeny.add(template, this.#valuesOf(ban)));
      return [...await removed, ...await Promise.all(added)];
    } catch (error) {
      return [{ ok: false, action: "kill_hosts_deny", error: messageOf(error) }];
    }
  }

  #commandRunner(): CommandRunner {
    return new CommandRunner({ exec: this.#exec, timeoutSeconds: this.#config.actions.timeout });
  }

  #valuesOf(request: Pick<BlockRequest, "target" | "decision">): TemplateValues {
    const probe = request.decision?.probe;
    return {
      target: request.target,
      port: probe?.port ?? 0,
      mode: portSentryMode(this.#config, probe?.protocol ?? "tcp"),
    };
  }
}

/** An outcome that stands: the administrator's own commands have been told, and repeating them may do harm. */
function final(outcome: Outcome): Outcome {
  return outcome.ok ? outcome : { ...outcome, isFinal: true };
}
