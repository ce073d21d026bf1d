/**
 * The text of the report: the machine, the short table, the goals, then each case.
 * @module
 */
import type { Case, Gist, Goal, Report } from "./case.ts";
import { markdown, NOTHING } from "./measure/format.ts";

/** A case and what it has to say. */
export interface Told {
  readonly of: Pick<Case, "title" | "about">;
  readonly report: Report;
}

/** Whom the short table compares, as far as they took part. */
const COMPARED = ["PortSentry 1.2", "PortSentry 2", "portsnare kernel", "portsnare raw"];

/** The whole report. `head`: what stands first, paragraph by paragraph. */
export function reportText(head: readonly string[], told: readonly Told[]): string {
  const gist = told.flatMap(({ report }) => report.gist ?? []);
  const goals = told.flatMap(({ report }) => report.goals ?? []);
  const parts = [
    ...head,
    ...gist.length === 0 ? [] : ["## In short", gistTable(gist)],
    ...goals.length === 0 ? [] : goalParts(goals),
    ...told.flatMap(({ of, report }) => caseParts(of, report)),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** The short table, as the README has it too. */
export function gistTable(gist: readonly Gist[]): string {
  const compared = COMPARED.filter((name) => gist.some(({ of }) => of.has(name)));
  return markdown({
    head: ["", ...compared],
    rows: gist.map(({ what, of }) => [what, ...compared.map((name) => of.get(name) ?? NOTHING)]),
  });
}

function verdict(reached: boolean | undefined): string {
  if (reached === undefined) return "**cannot be told**";
  return reached ? "yes" : "**no**";
}

function goalParts(goals: readonly Goal[]): readonly string[] {
  const missed = goals.filter(({ reached }) => !reached);
  return [
    "## Goals",
    markdown({
      head: ["what", "goal", "measured", "reached"],
      rows: goals.map((
        { what, goal, measured, reached },
      ) => [what, goal, measured, verdict(reached)]),
    }),
    ...missed.map(({ what, limit }) => `**${what}**: ${limit}`),
  ];
}

function caseParts({ title, about }: Told["of"], { tables, notes }: Report): readonly string[] {
  return [`## ${title}`, about, ...tables.map(markdown), ...notes];
}
