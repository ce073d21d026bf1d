/**
 * Makes the manual pages portsnare.toml(5), English and French, from the configuration schema:
 *
 *     deno run -A scripts/man.ts DIRECTORY
 *
 * What a page says besides the keys is in `man/portsnare.toml.5.in`; the French for what the schema says is in
 * `man/fr/texts.toml`, by the English text, so that a text that was changed falls back to English until it is translated.
 * @module
 */
import { parse } from "smol-toml";
import { KEY_DOCS, type KeyDoc, SECTION_DOCS } from "../src/config/schema.ts";

const MAN = new URL("../man/", import.meta.url);

/** What is written around the texts of the schema. */
interface Words {
  readonly value: string;
  readonly byDefault: string;
  readonly unset: string;
  readonly standsFor: string;
  readonly restart: string;
}

const LANGUAGES: readonly { readonly directory: string; readonly texts?: string; readonly words: Words }[] = [
  {
    directory: "",
    words: {
      value: "Value:",
      byDefault: "Default:",
      unset: "unset",
      standsFor: "PortSentry:",
      restart: "A change needs a restart.",
    },
  },
  {
    directory: "fr/",
    texts: "fr/texts.toml",
    words: {
      value: "Valeur :",
      byDefault: "Par défaut :",
      unset: "absente",
      standsFor: "PortSentry :",
      restart: "Un changement demande un redémarrage.",
    },
  },
];

/** Translates a text of the schema. */
type Translate = (text: string) => string;

/** The English texts of the schema, each once. */
export function schemaTexts(): readonly string[] {
  const keys = [...KEY_DOCS.values()].flatMap((section) => [...section.values()]);
  return [...new Set([...Object.values(SECTION_DOCS), ...keys.flatMap((key) => [key.form, key.help])])];
}

/** A page of each language: where it belongs below the target directory, and its text. */
export async function manualPages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>();
  for (const { directory, texts, words } of LANGUAGES) {
    const name = `${directory}portsnare.toml.5`;
    const template = await Deno.readTextFile(new URL(`${name}.in`, MAN));
    const translate = texts === undefined ? keep : await translator(new URL(texts, MAN));
    pages.set(name, template.replace("@KEYS@\n", () => keys(translate, words)));
  }
  return pages;
}

/** The translations of a file: English on the left, the other language on the right. */
export async function translations(file: URL): Promise<ReadonlyMap<string, string>> {
  const table = parse(await Deno.readTextFile(file));
  return new Map(Object.entries(table).map(([english, text]) => [english, String(text)]));
}

async function translator(file: URL): Promise<Translate> {
  const known = await translations(file);
  return (text) => known.get(text) ?? text;
}

function keep(text: string): string {
  return text;
}

function keys(translate: Translate, words: Words): string {
  return [...KEY_DOCS].flatMap(([section, docs]) => [
    `.SS [${section}]`,
    roff(translate(SECTION_DOCS[section] ?? "")),
    ...[...docs].map(([name, doc]) => entry(name, doc, { translate, words })),
    "",
  ]).join("\n");
}

function entry(
  name: string,
  doc: KeyDoc,
  context: { readonly translate: Translate; readonly words: Words },
): string {
  const { translate, words } = context;
  const standard = doc.default === undefined ? words.unset : toml(doc.default);
  const facts = [
    `${words.value} ${roff(translate(doc.form))}.`,
    `${words.byDefault} ${roff(standard)}.`,
    ...(doc.needsRestart === true ? [roff(words.restart)] : []),
    ...(doc.portsentry === undefined ? [] : [`${words.standsFor} ${roff(doc.portsentry)}.`]),
  ];
  return [".TP", `.B ${roff(name)}`, roff(translate(doc.help)), ".br", ...facts].join("\n");
}

/** A value as it is written in TOML; arrays with spaces, where a line may break. */
function toml(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
    : JSON.stringify(value);
}

/** Text for roff: no character of it is taken as a request, what is in backticks is bold. */
function roff(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");
  const bold = plain.replace(/`([^`]*)`/g, "\\fB$1\\fR");
  return /^[.']/.test(bold) ? `\\&${bold}` : bold;
}

if (import.meta.main) {
  const [target] = Deno.args;
  if (target === undefined) {
    console.error("man: DIRECTORY is missing");
    Deno.exit(64);
  }
  for (const [name, page] of await manualPages()) {
    await Deno.mkdir(new URL(`${target}/${name}/..`, `file://${Deno.cwd()}/`), { recursive: true });
    await Deno.writeTextFile(`${target}/${name}`, page);
  }
}
