/**
 * TCP wrappers: bans as lines of hosts.deny, and nothing else in that file.
 *
 * Stage "act". The file is edited where it lies (it may be the one writable file of a read-only /etc), under a lock,
 * and many bans at once cost one edit.
 * @module
 */
import { Buffer } from "node:buffer";
import { messageOf } from "../errors.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import { editFile } from "../system/atomic_file.ts";
import { readRegularFile } from "../system/regular_file.ts";
import type { Outcome } from "./backend.ts";
import { Batcher } from "./batcher.ts";
import { type DenyEntry, denyLine, markedTargets, withEntries, withoutTargets } from "./hosts_deny_lines.ts";
import { targetFault, type TemplateValues } from "./template.ts";

/** PortSentry left a new file readable by root only, so that no service that gave up root obeyed it. */
const NEW_FILE = { mode: 0o644 };

const ACTION = "kill_hosts_deny";

type Change =
  | { readonly verb: "add"; readonly entry: DenyEntry }
  | { readonly verb: "remove"; readonly target: Prefix };

/** One hosts.deny. */
export class HostsDeny {
  readonly #path: string;
  readonly #changes: Batcher<Change, Outcome>;

  /** The file is made at the first ban when it is missing. */
  constructor(path: string) {
    this.#path = path;
    this.#changes = new Batcher((changes) => this.#apply(changes));
  }

  /** Write the line that keeps a target out, unless it is there already. Never rejects. */
  async add(template: string, values: TemplateValues): Promise<Outcome> {
    const line = denyLine(template, values);
    const fault = targetFault(ACTION, template) ?? lineFault(line);
    if (fault !== undefined) return { ok: false, action: ACTION, error: fault, detail: line };
    const [outcome] = await this.#changes.submit([{ verb: "add", entry: { target: values.target, line } }]);
    return outcome ?? { ok: false, action: ACTION, error: "no answer", detail: line };
  }

  /** Remove our lines for these targets; one that is not there counts as removed. One outcome each. Never rejects. */
  async remove(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    return await this.#changes.submit(targets.map((target) => ({ verb: "remove", target })));
  }

  /** Whose lines of ours are there. Throws an `Error` when the file cannot be read. */
  targets(): readonly Prefix[] {
    return markedTargets(Buffer.from(readRegularFile(this.#path)).toString("latin1"));
  }

  async #apply(changes: readonly Change[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    // An edit either adds or removes; what came in between must keep its place.
    for (let at = 0; at < changes.length;) {
      const verb = changes[at]?.verb;
      const end = changes.findIndex((change, index) => index > at && change.verb !== verb);
      const run = changes.slice(at, end < 0 ? undefined : end);
      const error = await this.#edit(run);
      outcomes.push(...run.map((change) => outcomeOf(change, error)));
      at += run.length;
    }
    return outcomes;
  }

  /** @returns Why it failed. */
  async #edit(changes: readonly Change[]): Promise<string | undefined> {
    const added = changes.flatMap((change) => change.verb === "add" ? [change.entry] : []);
    const removed = changes.flatMap((change) => change.verb === "remove" ? [change.target] : []);
    try {
      // Nothing was ever written: the file need not be made, nor be writable, to find nothing in it.
      if (added.length === 0 && !this.#holds(removed)) return undefined;
      await editFile(this.#path, (bytes) => {
        const contents = Buffer.from(bytes).toString("latin1");
        return Buffer.from(withEntries(withoutTargets(contents, removed), added), "latin1");
      }, NEW_FILE);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #holds(targets: readonly Prefix[]): boolean {
    const there = new Set(this.targets().map(formatPrefix));
    return targets.some((target) => there.has(formatPrefix(target)));
  }
}

function outcomeOf(change: Change, error: string | undefined): Outcome {
  const detail = change.verb === "add" ? change.entry.line : formatPrefix(change.target);
  return error === undefined
    ? { ok: true, action: ACTION, detail }
    : { ok: false, action: ACTION, error, detail };
}

/** libwrap joins a line that ends with a backslash to the next one, which is then lost as a rule. */
function lineFault(line: string): string | undefined {
  if (line.endsWith("\\")) return "The line ends with a backslash";
  return line.trimStart().startsWith("#") ? "The line is a comment" : undefined;
}
