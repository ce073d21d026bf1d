/**
 * The administrator's commands, run off the packet path: few at once, few waiting, each with a time limit, each with an
 * honest outcome.
 *
 * Stage "act". An exit status other than 0 is a failure: PortSentry compared the raw wait status with 127 and reported
 * every failing command as a block.
 * @module
 */
import type { Command } from "../config/schema.ts";
import { familyOf } from "../net/address.ts";
import { ADDON_PACKAGES, addonIn, packageOf } from "../system/debian_packages.ts";
import { type Exec, type ExecResult, failureOf } from "../system/exec.ts";
import type { Outcome } from "./backend.ts";
import { commandArgv, commandText, targetFault, type TemplateValues } from "./template.ts";
import { wasUndone } from "./undo.ts";

/** Commands that run at once. */
const MAX_RUNNING = 4;

/** Commands that wait for their turn; one more is refused, which is an outcome like any other failure. */
const MAX_WAITING = 64;

/** The actions that run a command; `undo_kill_route` is what was derived from `kill_route` to take it back. */
export type CommandAction = "kill_route" | "kill_run_cmd" | "unblock_cmd" | "undo_kill_route";

/** What the runner is made from. */
export interface CommandRunnerOptions {
  /** Starts programs. */
  readonly exec: Exec;
  /** After so many seconds a command is ended and counts as failed. */
  readonly timeoutSeconds: number;
}

/** Runs commands. */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Runs nothing yet. */
  constructor(options: CommandRunnerOptions) {
    this.#options = options;
  }

  /**
   * Run a command with the values filled in, when its turn comes. Never rejects.
   *
   * @param options.wasDone Of `undo_kill_route`: whether there is known to be something to undo. Default: no.
   */
  async run(
    action: CommandAction,
    command: Command,
    values: TemplateValues,
    { wasDone = false }: { readonly wasDone?: boolean } = {},
  ): Promise<Outcome> {
    const named = action === "undo_kill_route" ? "kill_route" : action;
    if (action === "kill_route") {
      const error = targetFault("kill_route", command);
      if (error !== undefined) return { ok: false, action: named, error };
    }
    const detail = commandText(command, values);
    if (!(await this.#enter())) {
      return {
        ok: false,
        action: named,
        error: `not run: ${MAX_WAITING} commands are waiting already`,
        detail,
      };
    }
    try {
      const { exec, timeoutSeconds } = this.#options;
      const result = await exec(commandArgv(command, values), { timeoutMs: timeoutSeconds * 1000 });
      const error = failureOf(result);
      const nothingToUndo = wasUndone(result.stderr, { command: detail, wasDone }) ||
        ipv4Program(detail, values) !== undefined;
      const done = error === undefined || (action === "undo_kill_route" && nothingToUndo);
      return done
        ? { ok: true, action: named, detail }
        : { ok: false, action: named, error: explain(error, result, { detail, values }), detail };
    } finally {
      this.#leave();
    }
  }

  /** @returns Whether it is this command's turn now; `false` when there is no room to wait. */
  #enter(): boolean | Promise<boolean> {
    if (this.#running < MAX_RUNNING) {
      this.#running++;
      return true;
    }
    if (this.#waiting.length >= MAX_WAITING) return false;
    return new Promise((resolve) => this.#waiting.push(() => resolve(true)));
  }

  /** Hands the place on to whoever waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

/** What iptables says when it lacks an extension, or the kernel does. */
const ADDON_MISSING =
  /does not exist|Couldn't load (?:target|match)|No chain\/target\/match|missing kernel module|RULE_\w+ failed/;

/** PortSentry's own commands, which know nothing of IPv6. */
const FOR_IPV4 = /^\s*(?:\S*\/)?(iptables(?:-nft|-legacy)?|route)\s/;

function explain(
  error: string,
  result: ExecResult,
  { detail, values }: { readonly detail: string; readonly values: TemplateValues },
): string {
  const addon = addonIn(detail);
  if (addon !== undefined && ADDON_MISSING.test(result.stderr)) {
    return `${error}; ${addon} belongs to xtables-addons: install the Debian packages ${ADDON_PACKAGES}`;
  }
  const missing = packageOf(missingProgram(result, detail) ?? "");
  if (missing !== undefined) return `${error}; install the Debian package ${missing}`;
  const program = ipv4Program(detail, values);
  return program === undefined
    ? error
    : `${error}; ${program} is for IPv4 only: actions.firewall keeps out both`;
}

/** The program that was not found, by the shell (dash, bash) or by us. */
function missingProgram({ notStarted, stderr }: ExecResult, detail: string): string | undefined {
  if (notStarted === "not-found") return detail.split(" ", 1)[0];
  return /^\S*sh: (?:(?:line )?\d+: )?(\S+): (?:command )?(?:not found|No such file)/m.exec(stderr)?.[1];
}

/** The program in a command that knows nothing of this target, and so cannot have done anything about it either. */
function ipv4Program(detail: string, values: TemplateValues): string | undefined {
  return familyOf(values.target.address) === 6 ? FOR_IPV4.exec(detail)?.[1] : undefined;
}
