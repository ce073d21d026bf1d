/**
 * The verbs that change something through the running daemon: block, unblock, reload.
 * @module
 */
import { ask, type Question } from "../control/client.ts";
import { reloadText } from "../control/reload_text.ts";
import type { ChangeView, ReloadView } from "../control/views.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { formatPrefix } from "../net/prefix.ts";
import { quantity } from "../quantity.ts";
import type { CommandOf } from "./command.ts";
import { formatTime } from "./format.ts";
import { describeOutcomes, type QueryOptions } from "./query.ts";

/** Bans that `unblock --all` shows one by one, and as many again of those that it could not lift. */
const MAX_SHOWN = 20;

/** `portsnare block`. Fails when the ban was not made. */
export async function block(command: CommandOf<"block">, options: QueryOptions): Promise<ExitCode> {
  return await change({
    verb: "block",
    target: formatPrefix(command.target),
    force: command.force,
    ...(command.seconds === undefined
      ? {}
      : { seconds: command.seconds === Infinity ? null : command.seconds }),
    ...(command.reason === undefined ? {} : { reason: command.reason }),
  }, options);
}

/** `portsnare unblock`. Fails when something could not be taken back. */
export async function unblock(command: CommandOf<"unblock">, options: QueryOptions): Promise<ExitCode> {
  if (command.target === "all") return await unblockAll(options);
  return await change({ verb: "unblock", target: formatPrefix(command.target) }, options);
}

/** Of a hundred thousand bans people want the sum, and to see what went wrong. */
async function unblockAll(options: QueryOptions): Promise<ExitCode> {
  let [all, done, shown] = [0, 0, 0];
  let failed = false;
  for await (const data of ask(options.socket, { verb: "unblock", target: "all" })) {
    // The daemon sends a ChangeView for each ban.
    const view = data as ChangeView;
    const isWhole = view.outcomes.every((outcome) => outcome.ok);
    failed ||= !isWhole;
    all++;
    if (view.done) done++;
    if (options.json) options.print(JSON.stringify(view));
    else if (all <= MAX_SHOWN || (!isWhole && shown < 2 * MAX_SHOWN)) {
      shown++;
      options.print(describeChange("unblock", view));
    }
  }
  if (!options.json) options.print(allText(all, done));
  return failed ? EXIT.unavailable : EXIT.ok;
}

function allText(all: number, done: number): string {
  if (all === 0) return "No bans are in force.";
  if (done < all) return `${done} of ${all} bans lifted; see the log for why the others were not`;
  return `${quantity(all, "ban")} lifted`;
}

/** `portsnare reload`. */
export async function reload(options: QueryOptions): Promise<ExitCode> {
  for await (const data of ask(options.socket, { verb: "reload" })) {
    // The daemon sends one ReloadView for this verb.
    const view = data as ReloadView;
    options.print(options.json ? JSON.stringify(view) : reloadText(view));
  }
  return EXIT.ok;
}

async function change(question: Question, options: QueryOptions): Promise<ExitCode> {
  let failed = false;
  for await (const data of ask(options.socket, question)) {
    // The daemon sends a ChangeView for these verbs.
    const view = data as ChangeView;
    failed ||= view.outcomes.some((outcome) => !outcome.ok);
    options.print(options.json ? JSON.stringify(view) : describeChange(question.verb, view));
  }
  return failed ? EXIT.unavailable : EXIT.ok;
}

function untilText(until: number | null | undefined): string {
  if (until === undefined) return "";
  return until === null ? " permanently" : ` until ${formatTime(until)}`;
}

function describeChange(verb: string, view: ChangeView): string {
  const did = verb === "block" ? `blocked${untilText(view.until)}` : "unblocked";
  const head = view.done ? `${view.target}: ${did}` : `${view.target}: not ${did}`;
  const details = verb === "block" || view.outcomes.some(({ action }) => action !== "none")
    ? describeOutcomes(view.outcomes)
    : [];
  return [head, ...details.map((line) => `  ${line}`)].join("\n");
}
