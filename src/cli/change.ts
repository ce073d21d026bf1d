/**
 * The verbs that change something through the running daemon: block, unblock, reload.
 * @module
 */
import { ask, type Question } from "../control/client.ts";
import type { ChangeView } from "../control/views.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { formatPrefix } from "../net/prefix.ts";
import type { CommandOf } from "./command.ts";
import { describeOutcome, type QueryOptions } from "./query.ts";

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

/** `portsnare unblock`. */
export async function unblock(command: CommandOf<"unblock">, options: QueryOptions): Promise<ExitCode> {
  const target = command.target === "all" ? "all" : formatPrefix(command.target);
  return await change({ verb: "unblock", target }, options);
}

/** `portsnare reload`. */
export async function reload(options: QueryOptions): Promise<ExitCode> {
  for await (const data of ask(options.socket, { verb: "reload" })) {
    options.print(options.json ? JSON.stringify(data) : String(data));
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

function describeChange(verb: string, view: ChangeView): string {
  const did = verb === "block" ? "blocked" : "unblocked";
  const head = view.done ? `${view.target}: ${did}` : `${view.target}: not ${did}`;
  const details = view.outcomes.map((outcome) => `  ${describeOutcome(outcome)}`);
  return [head, ...details].join("\n");
}
