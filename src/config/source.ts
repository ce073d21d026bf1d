/**
 * The files that together make a configuration: which of them says a key, and where.
 * @module
 */
import type { Fault } from "../errors.ts";
import { isTable, type Problem } from "./section.ts";
import type { TomlFile } from "./toml_file.ts";

/** One file of a configuration. */
export interface Source {
  /** Path as the user wrote it, or as it was found in conf.d. */
  readonly path: string;
  /** What it says. */
  readonly toml: TomlFile;
}

/** The fault that a problem is, at its place in the file that says it. */
export function faultOf({ path, message, part }: Problem, source: Source | undefined): Fault {
  return {
    file: source?.path ?? "",
    ...(source?.toml.placeOf(path, part ?? "value") ?? { line: 0, column: 0 }),
    message,
  };
}

/** The file whose word counts for a key: the last that says it; the first file where none does. */
export function lastThatSays(path: readonly PropertyKey[], sources: readonly Source[]): Source | undefined {
  return sources.findLast((source) => valueIn(source, path) !== undefined) ?? sources[0];
}

/** The keys of a file that a later file gives another value, each with the place that wins. */
export function overridden(sources: readonly Source[]): readonly Fault[] {
  return sources.flatMap((source, index) =>
    keysOf(source).flatMap((path) => {
      const winner = lastThatSays(path, sources.slice(index));
      if (winner === undefined || isSame(valueIn(winner, path), valueIn(source, path))) return [];
      const { line } = winner.toml.placeOf(path, "key");
      const message = `${path.join(".")} counts for nothing here: ${winner.path}:${line} wins over it`;
      return [faultOf({ path, message, part: "key" }, source)];
    })
  );
}

function keysOf({ toml }: Source): readonly (readonly string[])[] {
  return toml.layers.flatMap((layer) =>
    Object.entries(layer).flatMap(([section, keys]) =>
      isTable(keys) ? Object.keys(keys).map((key) => [section, key]) : []
    )
  );
}

function valueIn({ toml }: Source, path: readonly PropertyKey[]): unknown {
  return toml.layers.map((layer) => valueAt(layer, path)).find((value) => value !== undefined);
}

function valueAt(table: unknown, path: readonly PropertyKey[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return table;
  if (typeof table !== "object" || table === null || !Object.hasOwn(table, first)) return undefined;
  // Tables and arrays both have their parts as properties of their own.
  return valueAt((table as Readonly<Record<PropertyKey, unknown>>)[first], rest);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
