/**
 * One key of our configuration as it follows from a PortSentry configuration.
 * @module
 */
import type { Fault, Place } from "../../errors.ts";
import type { Option, OptionFile, OptionName } from "./option_file.ts";

/** A value for a key, and where it comes from. */
export interface Setting {
  /** Section and key. */
  readonly path: readonly [section: string, key: string];
  /** The value as TOML would have it; `undefined` leaves the default. */
  readonly value: unknown;
  /** The option that says so; `undefined` when PortSentry cannot be told otherwise. */
  readonly option?: OptionName | undefined;
  /** The line that says so. */
  readonly place?: Place | undefined;
  /** What the line means less, or nothing of: what its author will not have meant. */
  readonly notes: readonly string[];
  /** What is otherwise than with PortSentry, and better. Default: nothing. */
  readonly changes?: readonly string[] | undefined;
  /** What the reader of the new file should know about the value, though nothing changes. */
  readonly remark?: string | undefined;
}

/** The PortSentry configuration that is translated. */
export interface PortsentryConfig extends OptionFile {
  /** Path of the portsentry.conf. */
  readonly file: string;
  /** 1 for 1.2, 2 for 2.x. */
  readonly version: 1 | 2;
}

/** A setting that follows from one option. */
export function fromOption(
  { file, options }: PortsentryConfig,
  name: OptionName,
  setting: Pick<Setting, "path" | "value"> & Partial<Pick<Setting, "notes" | "changes" | "remark">>,
): Setting {
  const { line, column } = options.get(name) ?? { line: 0, column: 0 };
  return { notes: [], option: name, place: { file, line, column }, ...setting };
}

/** A setting that holds for every PortSentry configuration. */
export function implied(path: readonly [string, string], value: unknown, remark: string): Setting {
  return { path, value, notes: [], remark };
}

/** An option that is set to something; PortSentry treats an empty value as if the line were not there. */
export function given({ options }: PortsentryConfig, name: OptionName): Option | undefined {
  const option = options.get(name);
  return option === undefined || option.value === "" ? undefined : option;
}

/** What atoi(3) makes of a text: the number that it begins with, else 0. */
export function atoi(text: string): number {
  return Number(/^\s*([+-]?\d{1,15})/.exec(text)?.[1] ?? 0);
}

/** What there is to say about settings, each with the line that it is about. */
export function saidOf(settings: readonly Setting[], what: "notes" | "changes"): readonly Fault[] {
  return settings.flatMap(({ option, place, [what]: texts = [] }) =>
    texts.map((text) => ({
      ...(place ?? { file: "", line: 0, column: 0 }),
      message: option === undefined ? text : `${option}: ${text}`,
    }))
  );
}

/** Settings as the parsed TOML file that would say the same. */
export function tableOf(
  settings: readonly Setting[],
): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const table: Record<string, Record<string, unknown>> = {};
  for (const { path: [section, key], value } of settings) {
    if (value !== undefined) table[section] = { ...table[section], [key]: value };
  }
  return table;
}
