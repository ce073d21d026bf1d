/**
 * Checks what a file says against the keys that exist, and words every fault for the person who wrote the file.
 * @module
 */
import type { Check, Key, KeyDoc, Keys, Objection } from "./key.ts";
import { nearestName } from "./nearest.ts";

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** The key that is wrong, from the outermost table inwards. */
  readonly path: readonly PropertyKey[];
  /** What is wrong and what was expected. */
  readonly message: string;
  /** Whether the name or the value is wrong. Default: the value. */
  readonly part?: "key";
}

/** The sections that exist, with their keys. */
export type KnownSections = ReadonlyMap<string, ReadonlyMap<string, KeyDoc>>;

/** How much of a wrong value is repeated in a message. */
const SHOWN_LENGTH = 60;
/** So many unknown names are compared with the known ones; a file with more of them is something else. */
const MAX_COMPARED = 100;

/** The checked section, with every key that is missing at its default. What is wrong is added to `problems`. */
export function checkSection<S>(
  keys: Keys<S>,
  value: unknown,
  context: {
    /** Name of the section. */
    readonly name: string;
    /** Gets what is wrong. */
    readonly problems: Problem[];
  },
): S {
  const { name, problems } = context;
  const written = value === undefined || isTable(value) ? value ?? {} : {};
  if (value !== undefined && !isTable(value)) {
    problems.push({ path: [name], message: `${name}: expected a table [${name}], found ${show(value)}` });
  }
  const section: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries<Key<unknown>>(keys)) {
    const checked = checkValue(spec.check, written[key]);
    if ("objections" in checked) {
      // Not spread: there may be more of them than a call takes arguments.
      for (const problem of checked.objections.map(word(name, key, spec, written[key]))) {
        problems.push(problem);
      }
    } else if (checked.value !== undefined) section[key] = checked.value;
  }
  // Every key of Keys<S> has been checked by its own Check; where one failed there is a problem, and nobody gets this.
  return section as S;
}

/** The keys and sections of `file` that do not exist, each with the name that was probably meant. */
export function unknownNames(file: Readonly<Record<string, unknown>>, known: KnownSections): Problem[] {
  const problems: Problem[] = [];
  const note = (path: readonly string[], explained: () => string): void => {
    const message = problems.length < MAX_COMPARED ? explained() : `unknown name ${show(path.at(-1))}`;
    problems.push({ path, message, part: "key" });
  };
  for (const [section, value] of Object.entries(file)) {
    const keys = known.get(section);
    if (keys === undefined) note([section], () => unknownSection(section, value, known));
    else if (isTable(value)) {
      for (const key of Object.keys(value)) {
        if (!keys.has(key)) note([section, key], () => unknownKey(section, key, known));
      }
    }
  }
  return problems;
}

/** A value as TOML would show it, cut to a length that fits a message. */
export function show(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

/** Whether this is what TOML calls a table. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function checkValue(
  check: Check<unknown>,
  value: unknown,
): { readonly value: unknown } | { readonly objections: readonly Objection[] } {
  const checked = check.safeParse(value);
  return checked.success ? { value: checked.data } : { objections: checked.error.issues };
}

function word(section: string, key: string, doc: KeyDoc, value: unknown): (objection: Objection) => Problem {
  return ({ code, message, path }) => ({
    path: [section, key, ...path],
    message: code === "custom"
      ? `${section}.${key}: ${message}`
      : `${section}.${key}: expected ${formOf(doc, path)}, found ${show(itemOf(value, path))}`,
  });
}

/** What was expected: of an item of an array, not the array. */
function formOf({ form }: KeyDoc, path: readonly PropertyKey[]): string {
  return path.length === 0 ? form : form.replace(/^an array of /, "");
}

function itemOf(value: unknown, path: readonly PropertyKey[]): unknown {
  const [first] = path;
  return Array.isArray(value) && typeof first === "number" ? value[first] : value;
}

function unknownSection(section: string, value: unknown, known: KnownSections): string {
  const homes = [...known].filter(([, keys]) => keys.has(section)).map(([name]) => `[${name}]`);
  if (homes.length > 0) return `${show(section)} belongs in ${homes.join(" or ")}`;
  const meant = nearestName(section, known.keys());
  const what = isTable(value)
    ? `unknown section [${section}]`
    : `unknown key ${show(section)} outside of a section`;
  return meant === undefined
    ? `${what}: expected ${[...known.keys()].map((name) => `[${name}]`).join(", ")}`
    : `${what}; did you mean [${meant}]?`;
}

function unknownKey(section: string, key: string, known: KnownSections): string {
  const what = `unknown key ${show(key)} in [${section}]`;
  const keys = known.get(section);
  const meant = nearestName(key, keys?.keys() ?? []);
  if (meant !== undefined) return `${what}; did you mean ${show(meant)}?`;
  const homes = [...known].filter(([, others]) => others.has(key)).map(([name]) => `[${name}]`);
  if (homes.length > 0) return `${what}; it belongs in ${homes.join(" or ")}`;
  return `${what}: expected one of ${[...keys?.keys() ?? []].join(", ")}`;
}
