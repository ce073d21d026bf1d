/**
 * Measures portsnare beside PortSentry and writes what came out to `bench/RESULTS.md`.
 *
 *     make bench ARGS="[--case NAME]... [--rounds N] [--quick]"
 *
 * With `--case` or `--quick` the report goes to standard output only: a part is not the whole.
 * @module
 */
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import type { Case, Effort, Report } from "./case.ts";
import { CASES } from "./cases.ts";
import type { Contestant } from "./contestants/contestant.ts";
import { FIELD } from "./field.ts";
import { machine } from "./machine.ts";
import { markdown } from "./measure/format.ts";

const RESULTS = new URL("./RESULTS.md", import.meta.url).pathname;
const DEFAULT_ROUNDS = 3;

interface Options extends Effort {
  readonly cases: readonly Case[];
}

function options(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      case: { type: "string", multiple: true },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : DEFAULT_ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds ${values.rounds}: not a positive number`);
  }
  const names = values.case ?? CASES.map(({ name }) => name);
  const cases = names.map((name) => {
    const found = CASES.find((known) => known.name === name);
    if (found === undefined) {
      throw new Error(`--case ${name}: not one of ${CASES.map((it) => it.name).join(", ")}`);
    }
    return found;
  });
  return { cases, rounds, quick: values.quick };
}

/** The contestants that can be had here, with their versions. */
async function present(): Promise<ReadonlyMap<Contestant, string>> {
  const versions = new Map<Contestant, string>();
  for (const contestant of FIELD) {
    const version = await contestant.version();
    if (version !== undefined) versions.set(contestant, version);
  }
  return versions;
}

function section({ title, about }: Case, { tables, notes }: Report): string {
  return [`## ${title}`, about, ...tables.map(markdown), ...notes].join("\n\n");
}

/** What a case has to say, if only that it failed: the others are worth having all the same. */
async function attempt(each: Case, field: readonly Contestant[], effort: Effort): Promise<Report> {
  try {
    return await each.run(field, effort);
  } catch (error) {
    console.error(error);
    Deno.exitCode = 1;
    return { tables: [], notes: [`**This case failed:** ${messageOf(error)}`] };
  }
}

async function main(): Promise<void> {
  const { cases, ...effort } = options(Deno.args);
  const versions = await present();
  const parts = [
    "# Measured beside PortSentry",
    `Written by \`make bench${
      Deno.args.length === 0 ? "" : ` ARGS="${Deno.args.join(" ")}"`
    }\`: ${effort.rounds} ` +
    "rounds, in which the contestants take turns; medians. Ratios hold; absolute times wander with the machine.",
    await machine(versions),
  ];
  for (const each of cases) {
    console.error(`${each.title} (${each.name})`);
    parts.push(section(each, await attempt(each, [...versions.keys()], effort)));
  }
  const text = `${parts.join("\n\n")}\n`;
  const whole = cases.length === CASES.length && !effort.quick;
  if (whole) await Deno.writeTextFile(RESULTS, text);
  console.log(whole ? `The report is in ${RESULTS}` : text);
}

await main();
