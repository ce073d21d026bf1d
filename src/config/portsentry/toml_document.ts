/**
 * Writes a translated PortSentry configuration as TOML that says of every line what became of it.
 * @module
 */
import { formatPrefix } from "../../net/prefix.ts";
import { type IgnoreEntry, parseIgnoreEntry } from "../ignore_entry.ts";
import { parseIgnoreLine, STATIC } from "../ignore_file.ts";
import type { Problem } from "../section.ts";
import { KEY_DOCS, SECTION_DOCS } from "../schema.ts";
import { tomlComment, tomlLine } from "../toml_text.ts";
import type { SourceText, Translation } from "./read.ts";
import type { Setting } from "./setting.ts";

/** More entries than this are left in their file, which is read as well. */
const MAX_TAKEN_OVER = 10_000;

/** What a document is written from. */
export interface TomlDocument {
  /** The configuration. */
  readonly translation: Translation;
  /** Doubts about the configuration as a whole, shown at the key that they are about. */
  readonly doubts: readonly Problem[];
  /** Ignore files whose entries are taken over. */
  readonly ignoreFiles: readonly SourceText[];
}

interface IgnoreFiles {
  /** All that the administrator gave. */
  readonly given: readonly SourceText[];
  /** Those of them whose entries are taken over. */
  readonly small: readonly SourceText[];
}

/** The text of a TOML file that loads to the same configuration. */
export function tomlDocument({ translation, doubts, ignoreFiles }: TomlDocument): string {
  const small = ignoreFiles.filter(({ text }) => text.split("\n").length <= MAX_TAKEN_OVER);
  const settings = translation.settings.map((setting) =>
    withoutFiles(setting, { small, given: ignoreFiles })
  );
  const sections = [...KEY_DOCS.keys()].flatMap((section) => {
    const lines = settings.filter(({ path }) => path[0] === section).map((setting) =>
      settingText(setting, doubts)
    );
    if (section === "ignore" && small.length > 0) lines.unshift(hostsText(small));
    return lines.length === 0
      ? []
      : [`${tomlComment(SECTION_DOCS[section] ?? "")}\n[${section}]\n${lines.join("\n").trimEnd()}`];
  });
  return [introduction(translation), ...sections, ...uselessLines(translation)].join("\n\n") + "\n";
}

function introduction({ sources, version }: Translation): string {
  return tomlComment(
    `Converted by portsnare from ${sources.join(" and ")} (PortSentry ${version === 1 ? "1.2" : "2"}).\n` +
      'Each key names the option that it comes from. "Changed:" says what is no longer as it was; "Note:" says what ' +
      'PortSentry did without being told, and "Doubtful:" what is probably not meant. Keys that are not here have ' +
      "their defaults: see config.example.toml.",
  );
}

function settingText(
  { path, value, option, place, notes, changes = [], remark }: Setting,
  doubts: readonly Problem[],
): string {
  const [section, key] = path;
  const origin = option ??
    (key === "mode" && place !== undefined ? `${section.toUpperCase()}_MODE` : undefined);
  const where = place === undefined ? "" : place.line > 0 ? `, line ${place.line}` : ` in ${place.file}`;
  const about = doubts.filter((doubt) => doubt.path[0] === section && doubt.path[1] === key);
  const comments = [
    ...(origin === undefined ? [] : [`${origin}${where}`]),
    ...[...notes, ...changes].map((text) => `Changed: ${text}.`),
    ...(remark === undefined ? [] : [`Note: ${remark}`]),
    ...about.map((doubt) => `Doubtful: ${doubt.message}.`),
  ].map(tomlComment);
  return [...comments, ...(value === undefined ? [] : [tomlLine(key, value)])].join("\n") + "\n";
}

/**
 * An ignore file whose entries stand in the document need not be read any more. Nor need the other one of its pair:
 * Debian's start script made portsentry.ignore from portsentry.ignore.static, anew each time.
 */
function withoutFiles(setting: Setting, { small, given }: IgnoreFiles): Setting {
  if (setting.path[1] !== "files" || !Array.isArray(setting.value)) return setting;
  const large = given.filter((file) => !small.includes(file)).map(({ path }) => path);
  if (!setting.value.some((path) => small.some((file) => file.path === path))) {
    return { ...setting, value: [...new Set([...setting.value, ...large])] };
  }
  const made = setting.value.filter((path) =>
    !String(path).endsWith(STATIC) && !given.some((file) => file.path === path)
  );
  const notes = made.map((path) =>
    `${path} is not read any more, because Debian's start script made it from the file that was taken over; ` +
    `convert with --ignore ${path} as well if it holds anything else`
  );
  return { ...setting, value: large, notes: [...setting.notes, ...notes] };
}

function hostsText(files: readonly SourceText[]): string {
  const lines = files.flatMap(({ path, text }) => [
    tomlComment(`from ${path}`),
    ...text.split("\n").flatMap((line, index) => entryText(line.trim(), index + 1)),
  ]);
  return `hosts = [\n  "127.0.0.0/8", "::1",\n${
    lines.map((line) => line.replace(/^/gm, "  ")).join("\n")
  }\n]\n`;
}

function entryText(line: string, number: number): readonly string[] {
  const entry = parseIgnoreLine(line);
  if (entry === undefined) return [];
  if (entry.kind === "nothing") {
    return [tomlComment(`Line ${number} did nothing and is left out: ${entry.why}.`)];
  }
  const comment = /^\S+\s*#\s*(.*)$/.exec(line)?.[1] ?? "";
  return [...(comment === "" ? [] : [tomlComment(comment)]), `${JSON.stringify(written(entry, line))},`];
}

/** What the line says, without what stands behind it. */
function written(entry: Exclude<IgnoreEntry, { readonly kind: "nothing" }>, line: string): string {
  if (entry.kind === "name") return entry.name;
  const [word = ""] = line.split(/[\s#]/, 1);
  return parseIgnoreEntry(word).kind === "prefix" ? word : formatPrefix(entry.prefix);
}

function uselessLines({ notes, settings }: Translation): readonly string[] {
  const said = new Set(settings.flatMap(({ notes, option }) => notes.map((note) => `${option}: ${note}`)));
  const useless = notes.filter((note) => note.line > 0 && !said.has(note.message));
  if (useless.length === 0) return [];
  const lines = useless.map((note) => tomlComment(`line ${note.line}: ${note.message}`));
  return [
    [tomlComment(`These lines of ${useless[0]?.file} had no effect and are left out:`), ...lines].join("\n"),
  ];
}
