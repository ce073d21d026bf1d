/**
 * Turns the files on disk into a checked configuration, or into everything that is wrong with them.
 * @module
 */
import { ConfigError, type Fault, messageOf } from "../errors.ts";
import { doubtsAbout } from "./doubts.ts";
import { boundedFaults } from "./fault_list.ts";
import { placeProblems, sourceFaults } from "./file_places.ts";
import { isPortsentryConf } from "./portsentry/option_file.ts";
import {
  decodeBytes,
  faultOfSetting,
  modeFileFor,
  readModeFile,
  translateFiles,
  type Translation,
} from "./portsentry/read.ts";
import { type Config, type ConfigSchema, configSchema, type ServicePort } from "./schema.ts";
import { isTable, type Problem } from "./section.ts";
import { faultOf, lastThatSays, overridden, type Source } from "./source.ts";
import { loadServices } from "./services_file.ts";
import { decodeText, readConfigBytes } from "./text_file.ts";
import { readToml } from "./toml_file.ts";
import { unusedKeys } from "./unused.ts";

/** Where the configuration is looked for when nobody says otherwise. */
export const CONFIG_FILE = "/etc/portsnare/config.toml";

/** What {@link loadConfig} may be told. */
export interface LoadOptions {
  /** Finds the ports of service names. Default: from /etc/services. */
  readonly servicePort?: ServicePort;
  /** Where PortSentry's modes are set. Default: `default/portsentry` beside the directory of the configuration. */
  readonly defaults?: string;
  /**
   * For whoever is going to write files and run commands: one that others could replace is a fault, and so is a
   * configuration that others could write. Default: not looked at.
   */
  readonly refuseSharedPlaces?: boolean;
}

/** A configuration and where it came from. */
export interface LoadedConfig {
  /** Frozen: a reload makes a new one. */
  readonly config: Config;
  /** The files that were read, in order; what a later one says wins. */
  readonly sources: readonly string[];
  /** What is allowed but probably not meant. */
  readonly warnings: readonly Fault[];
  /** What is right but does not work as it reads: keys that others win over, lines of PortSentry that changed. Default: none. */
  readonly notes?: readonly Fault[];
}

/**
 * The configuration in `path`: TOML with `conf.d/*.toml` beside it, or a portsentry.conf of PortSentry 1.2 or 2.
 *
 * Throws a {@link ConfigError} with every fault, or a `UserError` when a file cannot be read.
 */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const schema = configSchema(options.servicePort ?? await loadServices());
  const bytes = await readConfigBytes(path, "write one, or name another with -c FILE");
  const text = decodeBytes(bytes);
  if (isPortsentryConf(path, text)) {
    const modeFile = await readModeFile(options.defaults ?? modeFileFor(path));
    const translation = translateFiles({ path, text }, modeFile);
    const loaded = checkTranslation(translation, schema);
    refusePlaces(loaded, options, (problem) => faultOfSetting(problem, translation));
    return loaded;
  }
  const sources = [{ path, toml: readToml(decodeText(bytes, path), path) }];
  for (const file of await companionsOf(path)) {
    sources.push({ path: file, toml: readToml(decodeText(await readConfigBytes(file), file), file) });
  }
  const loaded = checkToml(sources, schema);
  refusePlaces(loaded, options, (problem) => faultOf(problem, lastThatSays(problem.path, sources)));
  return loaded;
}

function refusePlaces(
  { config, sources }: LoadedConfig,
  options: LoadOptions,
  place: (problem: Problem) => Fault,
): void {
  if (options.refuseSharedPlaces !== true) return;
  const faults = [...sourceFaults(sources), ...placeProblems(config).map(place)];
  if (faults.length > 0) throw new ConfigError(faults);
}

/** The configuration that a translated PortSentry configuration gives. Throws a {@link ConfigError}. */
export function checkTranslation(translation: Translation, schema: ConfigSchema): LoadedConfig {
  const checked = schema.safeParse(translation.table);
  const problems = checked.success ? [] : checked.error.issues;
  const faults = [...translation.faults, ...problems.map((problem) => faultOfSetting(problem, translation))];
  if (!checked.success || faults.length > 0) throw new ConfigError(faults);
  const doubts = doubtsAbout(checked.data).map((doubt) => faultOfSetting(doubt, translation));
  return {
    config: deepFreeze(checked.data),
    sources: translation.sources,
    warnings: [...translation.notes, ...doubts].toSorted(byPlace),
    notes: translation.changes,
  };
}

function checkToml(sources: readonly Source[], schema: ConfigSchema): LoadedConfig {
  const faults = sources.flatMap((source) =>
    boundedFaults([...source.toml.faults, ...layerFaults(source, schema)].toSorted(byPlace))
  );
  if (faults.length > 0) throw new ConfigError(faults);
  const config = schema.parse(sources.flatMap(({ toml }) => toml.layers).reduce(merge, {}));
  const placed = (problem: Problem): Fault => faultOf(problem, lastThatSays(problem.path, sources));
  return {
    config: deepFreeze(config),
    sources: sources.map(({ path }) => path),
    warnings: doubtsAbout(config).map(placed),
    notes: [...overridden(sources), ...unusedKeys(config).map(placed)],
  };
}

function layerFaults(source: Source, schema: ConfigSchema): readonly Fault[] {
  return source.toml.layers.flatMap((layer) => {
    const checked = schema.safeParse(layer);
    return checked.success ? [] : checked.error.issues.map((issue) => faultOf(issue, source));
  });
}

/** The files of `conf.d` beside the configuration, in name order. */
async function companionsOf(path: string): Promise<readonly string[]> {
  const directory = `${path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "."}/conf.d`;
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) {
      if (!entry.isDirectory && entry.name.endsWith(".toml") && !entry.name.startsWith(".")) {
        names.push(entry.name);
      }
    }
  } catch (error) {
    // conf.d is optional. That it is there but unreadable must not pass in silence: it may hold the exceptions.
    if (error instanceof Deno.errors.NotFound) return [];
    const message = `cannot be listed: ${messageOf(error)}`;
    throw new ConfigError([{ file: directory, line: 0, column: 0, message }]);
  }
  return names.toSorted().map((name) => `${directory}/${name}`);
}

/** Sections are joined key by key; everything else is replaced by what the later file says. */
function merge(
  earlier: Readonly<Record<string, unknown>>,
  later: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = { ...earlier };
  for (const [key, value] of Object.entries(later)) {
    const before = merged[key];
    merged[key] = isTable(before) && isTable(value) ? { ...before, ...value } : value;
  }
  return merged;
}

function byPlace(a: Fault, b: Fault): number {
  if (a.file !== b.file) return 0;
  return a.line - b.line || a.column - b.column;
}

/** Freezes plain objects and arrays all the way down. Port sets cannot be changed anyway. */
function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
