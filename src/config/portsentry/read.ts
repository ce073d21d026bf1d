/**
 * Reads a PortSentry configuration from disk: portsentry.conf, and /etc/default/portsentry where the modes are set.
 * @module
 */
import type { Fault } from "../../errors.ts";
import type { Problem } from "../section.ts";
import { readConfigBytes } from "../text_file.ts";
import { parseModeFile } from "./mode_file.ts";
import { OPTION_NAMES, type OptionFile, parseOptionFile } from "./option_file.ts";
import { parsePortList } from "./port_list.ts";
import { saidOf, type Setting, tableOf } from "./setting.ts";
import { type Modes, translate } from "./translate.ts";

/** A PortSentry configuration in our words. */
export interface Translation {
  /** Our keys, and where each comes from. */
  readonly settings: readonly Setting[];
  /** The same as a parsed TOML file. */
  readonly table: Readonly<Record<string, unknown>>;
  /** Every line that does less than it says, or nothing. */
  readonly notes: readonly Fault[];
  /** Every line that works otherwise than with PortSentry, and better. */
  readonly changes: readonly Fault[];
  /** What must be put right before this can be used. */
  readonly faults: readonly Fault[];
  /** The files that were read. */
  readonly sources: readonly string[];
  /** 1 for PortSentry 1.2, 2 for 2.x. */
  readonly version: 1 | 2;
}

/** A file that was read: one character for each byte. */
export interface SourceText {
  /** Path as the user wrote it. */
  readonly path: string;
  /** What stands in it. */
  readonly text: string;
}

/** Where PortSentry's modes are set for the portsentry.conf at `path`: /etc/default/portsentry for the usual one. */
export function modeFileFor(path: string): string {
  return path.includes("/") ? path.replace(/[^/]*\/[^/]*$/, "default/portsentry") : "../default/portsentry";
}

/** The text of PortSentry's mode file, or `undefined` when there is none. */
export async function readModeFile(path: string): Promise<SourceText | undefined> {
  try {
    await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
  return { path, text: decodeBytes(await readConfigBytes(path)) };
}

/** Bytes as text with one character for each, which is how PortSentry sees its files. */
export function decodeBytes(bytes: Uint8Array<ArrayBuffer>): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Translates a PortSentry configuration. `modeFile` is `undefined` when there is none. */
export function translateFiles(conf: SourceText, modeFile: SourceText | undefined): Translation {
  const optionFile = parseOptionFile(conf.text, conf.path);
  const version = versionOf(optionFile, modeFile !== undefined);
  const modes = modeFile === undefined ? undefined : parseModeFile(modeFile.text, modeFile.path);
  const settings = translate(
    { ...optionFile, file: conf.path, version },
    modes ?? modesWithoutFile(version, optionFile),
  )
    .map((setting) => setting.path[1] === "mode" ? withOrigin(setting, modeFile) : setting);
  return {
    settings,
    table: tableOf(settings),
    notes: [...optionFile.faults, ...saidOf(settings, "notes")].toSorted((a, b) => a.line - b.line),
    changes: saidOf(settings, "changes").toSorted((a, b) => a.line - b.line),
    faults: modes?.faults ?? [],
    sources: modeFile === undefined ? [conf.path] : [conf.path, modeFile.path],
    version,
  };
}

/** The fault that a problem with a translated value is. */
export function faultOfSetting(problem: Problem, { settings, sources }: Translation): Fault {
  const [section, key] = problem.path;
  const setting = settings.find(({ path }) => path[0] === section && path[1] === key);
  const place = setting?.place ?? { file: sources[0] ?? "", line: 0, column: 0 };
  const origin = setting?.option === undefined ? "" : `${setting.option}: `;
  return { ...place, message: `${origin}${problem.message}` };
}

/** The two versions write the same syntax; what tells them apart is what only one of them takes. */
function versionOf({ options }: OptionFile, hasModeFile: boolean): 1 | 2 {
  if (OPTION_NAMES.some((name) => name.startsWith("ADVANCED") && options.has(name))) return 1;
  const lists = [options.get("TCP_PORTS"), options.get("UDP_PORTS")];
  if (lists.some((list) => list !== undefined && parsePortList(list.value).hasRanges)) return 2;
  return hasModeFile ? 1 : 2;
}

/** Version 1.2 is told its mode on the command line, and Debian's is `-tcp -udp`; version 2 is stealthy by default. */
function modesWithoutFile(version: 1 | 2, { options }: OptionFile): Modes {
  if (version === 1) return { tcp: "connect", udp: "connect" };
  return {
    tcp: options.has("TCP_PORTS") ? "stealth" : "off",
    udp: options.has("UDP_PORTS") ? "stealth" : "off",
  };
}

function withOrigin(setting: Setting, modeFile: SourceText | undefined): Setting {
  return modeFile === undefined
    ? {
      ...setting,
      remark: "No TCP_MODE or UDP_MODE was found, so this is what PortSentry does without being told.",
    }
    : { ...setting, place: { file: modeFile.path, line: 0, column: 0 } };
}
