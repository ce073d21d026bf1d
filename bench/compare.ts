/**
 * Measures portsnare beside PortSentry and writes what came out to `bench/RESULTS.md` and into the README.
 *
 * `--case NAME`: only this case; `--rounds N`: how often each contestant has its turn; `--quick`: less of everything, to
 * see that it works. With `--case` or `--quick` the report goes to standard output only: a part is not the whole.
 *
 * Started by `run.ts`, which takes away what it leaves behind.
 * @module
 */
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import type { Case, Effort, Report } from "./case.ts";
import { CASES } from "./cases.ts";
import type { Contestant } from "./contestants/contestant.ts";
import { FIELD } from "./field.ts";
import { machine } from "./machine.ts";
import { withMeasuredPart } from "./readme.ts";
import { gistTable, reportText, type Told } from "./report.ts";

const RESULTS = new URL("./RESULTS.md", import.meta.url).pathname;
const README = new URL("../README.md", import.meta.url).pathname;
const DEFAULT_ROUNDS = 2;

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

async function main(): Promise<void> {
  const begin = performance.now();
  const { cases, ...effort } = options(Deno.args);
  const versions = await present();
  const where = await machine(versions);
  const told: Told[] = [];
  const failed: string[] = [];
  for (const each of cases) {
    console.error(`${each.title} (${each.name})`);
    told.push({ of: each, report: await attempt(each, { field: [...versions.keys()], effort, failed }) });
  }
  const text = reportText([
    "# Measured beside PortSentry",
    `Written by \`make bench${Deno.args.length === 0 ? "" : ` ARGS="${Deno.args.join(" ")}"`}\` in ` +
    `${Math.ceil((performance.now() - begin) / 60_000)} minutes. The contestants take turns, ` +
    `${effort.rounds} rounds or as many as a case says; medians. Ratios hold; absolute times wander with the machine. portsnare runs in real time, as under its unit.`,
    where,
    ...FIELD.filter((contestant) => !versions.has(contestant)).map(({ name }) =>
      `**${name} took no part: it could not be had on this machine.**`
    ),
  ], told);
  if (cases.length < CASES.length || effort.quick) console.log(text);
  else await write(text, { told, failed });
  if (failed.length === 0) return;
  console.error(`bench: FAILED: ${failed.join(", ")}`);
  Deno.exitCode = 1;
}

/** What a case has to say, if only that it failed: the others are worth having all the same. */
async function attempt(
  each: Case,
  options: { readonly field: readonly Contestant[]; readonly effort: Effort; readonly failed: string[] },
): Promise<Report> {
  const begin = performance.now();
  try {
    return await each.run(options.field, options.effort);
  } catch (error) {
    console.error(error);
    options.failed.push(each.name);
    return { tables: [], notes: [`**This case failed:** ${messageOf(error)}`] };
  } finally {
    console.error(`  ${Math.round((performance.now() - begin) / 1000)} s`);
  }
}

async function write(
  text: string,
  { told, failed }: { readonly told: readonly Told[]; readonly failed: readonly string[] },
): Promise<void> {
  await Deno.writeTextFile(RESULTS, text);
  console.log(`The report is in ${RESULTS}`);
  // A README with gaps would say less than the one that is there.
  if (failed.length > 0) return console.log(`${README} is left as it is`);
  const table = gistTable(told.flatMap(({ report }) => report.gist ?? []));
  await Deno.writeTextFile(README, withMeasuredPart(await Deno.readTextFile(README), table));
  console.log(`Its short table is in ${README}`);
}

await main();
