/**
 * The configuration: every section, and the check of a whole file. Type, default, range and help of a key stand in
 * `keys/`, one file for each section, and nowhere else; the example file, the manual page and `check` are made from them.
 *
 * Keys keep the names that they have in the file, so that a key can be found by searching for it.
 * @module
 */
import type { Checked, KeyDoc, Keys } from "./key.ts";
import { ACTIONS_KEYS, type ActionsConfig } from "./keys/actions.ts";
import { BLOCK_KEYS, type BlockConfig } from "./keys/block.ts";
import { DETECT_KEYS, type DetectConfig } from "./keys/detect.ts";
import { FILES_KEYS, type FilesConfig } from "./keys/files.ts";
import { type IgnoreConfig, ignoreKeys } from "./keys/ignore.ts";
import { LOG_KEYS, type LogConfig } from "./keys/log.ts";
import { type ProtocolConfig, protocolKeys } from "./keys/protocol.ts";
import { checkSection, isTable, type Problem, show, unknownNames } from "./section.ts";
import type { ServicePort } from "./value.ts";

export type { KeyDoc } from "./key.ts";
export type { ActionsConfig } from "./keys/actions.ts";
export type { BlockConfig } from "./keys/block.ts";
export type { DetectConfig } from "./keys/detect.ts";
export type { FilesConfig } from "./keys/files.ts";
export type { IgnoreConfig, Protection } from "./keys/ignore.ts";
export type { LogConfig } from "./keys/log.ts";
export type { Mode, ProtocolConfig, Response } from "./keys/protocol.ts";
export type { Command, ServicePort } from "./value.ts";

/** A configuration that has been checked: durations in seconds (`Infinity`: permanent), ports as sets. */
export interface Config {
  /** Which TCP ports are trapped. */
  readonly tcp: ProtocolConfig;
  /** Which UDP ports are trapped. */
  readonly udp: ProtocolConfig;
  /** How packets are seen and judged. */
  readonly detect: DetectConfig;
  /** Who is left alone. */
  readonly ignore: IgnoreConfig;
  /** How long and how many. */
  readonly block: BlockConfig;
  /** What is done with a scanner. */
  readonly actions: ActionsConfig;
  /** Where things are kept. */
  readonly files: FilesConfig;
  /** What is logged. */
  readonly log: LogConfig;
}

/** The keys of every section. */
export type Sections = { readonly [S in keyof Config]: Keys<Config[S]> };

/** What the documentation says of each section. */
export const SECTION_DOCS: Readonly<Record<string, string>> = {
  tcp: "Which TCP ports are trapped, and what is done about a scanner.",
  udp: "The same for UDP.",
  detect: "How packets are seen and when a source counts as a scanner.",
  ignore: "Who is never reported or never banned.",
  block: "How long bans last and how many there may be.",
  actions: "What is done with a scanner.",
  files: "Where things are kept.",
  log: "What is logged and in which form.",
};

/** The keys of each section, in the order in which they are documented, with what is said of each. */
export const KEY_DOCS: ReadonlyMap<string, ReadonlyMap<string, KeyDoc>> = new Map(
  Object.entries<Readonly<Record<string, KeyDoc>>>({ ...sections(noServices) })
    .map(([section, keys]) => [section, new Map(Object.entries(keys))]),
);

/** The check of a whole configuration. */
export interface ConfigSchema {
  /** The configuration, or everything that is wrong with it. Never throws. */
  safeParse(file: unknown): Checked<Config>;
  /** The configuration. Throws a `TypeError` that says everything that is wrong with it. */
  parse(file: unknown): Config;
}

/** The check of a whole configuration, with the names of services looked up by `servicePort`. */
export function configSchema(servicePort: ServicePort): ConfigSchema {
  const of = sections(servicePort);
  return {
    safeParse: (file) => check(of, file),
    parse(file) {
      const checked = check(of, file);
      if (checked.success) return checked.data;
      throw new TypeError(checked.error.issues.map((issue) => issue.message).join("\n"));
    },
  };
}

/** Whether a scanner is ever banned with this configuration. */
export function bansScanners({ tcp, udp }: Pick<Config, "tcp" | "udp">): boolean {
  return tcp.response === "block" || udp.response === "block";
}

/** Every default, as the daemon gets it when the file is empty. */
export function defaultConfig(): Config {
  return configSchema(noServices).parse({});
}

function check(of: Sections, file: unknown): Checked<Config> {
  if (!isTable(file)) return fail([{ path: [], message: `Expected tables, found ${show(file)}` }]);
  const problems: Problem[] = unknownNames(file, KEY_DOCS);
  const config: Config = {
    tcp: checkSection(of.tcp, file.tcp, { name: "tcp", problems }),
    udp: checkSection(of.udp, file.udp, { name: "udp", problems }),
    detect: checkSection(of.detect, file.detect, { name: "detect", problems }),
    ignore: checkSection(of.ignore, file.ignore, { name: "ignore", problems }),
    block: checkSection(of.block, file.block, { name: "block", problems }),
    actions: checkSection(of.actions, file.actions, { name: "actions", problems }),
    files: checkSection(of.files, file.files, { name: "files", problems }),
    log: checkSection(of.log, file.log, { name: "log", problems }),
  };
  return problems.length === 0 ? { success: true, data: config } : fail(problems);
}

function fail(issues: readonly Problem[]): Checked<Config> {
  return { success: false, error: { issues } };
}

function sections(servicePort: ServicePort): Sections {
  return {
    tcp: protocolKeys("tcp", servicePort),
    udp: protocolKeys("udp", servicePort),
    detect: DETECT_KEYS,
    ignore: ignoreKeys(servicePort),
    block: BLOCK_KEYS,
    actions: ACTIONS_KEYS,
    files: FILES_KEYS,
    log: LOG_KEYS,
  };
}

function noServices(): undefined {
  return undefined;
}
