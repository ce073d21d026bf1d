/**
 * The manual pages: what is made from the schema, and what is written by hand about the verbs.
 * @module
 */
import type { Usage } from "@optique/core/usage";
import assert from "node:assert/strict";
import { manualPages, schemaTexts, translations } from "../../scripts/man.ts";
import { commandLine } from "../../src/cli/command_line.ts";
import { KEY_DOCS } from "../../src/config/schema.ts";

const MAN = new URL("../../man/", import.meta.url);
const FRENCH = new URL("fr/texts.toml", MAN);

Deno.test("manualPages documents every section and key, in each language", async () => {
  const pages = await manualPages();
  assert.deepEqual([...pages.keys()], ["portsnare.toml.5", "fr/portsnare.toml.5"]);
  for (const [name, page] of pages) {
    for (const [section, keys] of KEY_DOCS) {
      const start = page.indexOf(`.SS [${section}]\n`);
      assert.ok(start >= 0, `${name} lacks [${section}]`);
      const end = page.indexOf(".SS [", start + 1);
      const part = page.slice(start, end < 0 ? undefined : end);
      for (const key of keys.keys()) {
        assert.ok(part.includes(`\n.B ${key}\n`), `${name} lacks ${section}.${key}`);
      }
    }
  }
});

Deno.test("manualPages leaves nothing that roff would take for a request", async () => {
  for (const [name, page] of await manualPages()) {
    assert.doesNotMatch(page, /@KEYS@|`|undefined/, name);
    const requests = page.split("\n").filter((line) => /^[.']/.test(line));
    for (const line of requests) {
      assert.match(line, /^\.(\\"|TH|SH|SS|TP|PP|EX|EE|br|B|I|BR|RB|IR)/, `${name}: ${line}`);
    }
  }
});

Deno.test("man/fr/texts.toml has the French for every text of the schema, and for nothing else", async () => {
  const known = await translations(FRENCH);
  const texts = schemaTexts();
  assert.deepEqual(texts.filter((text) => !known.has(text)), [], "to translate in man/fr/texts.toml");
  assert.deepEqual(
    [...known.keys()].filter((text) => !texts.includes(text)),
    [],
    "to remove from man/fr/texts.toml",
  );
});

for (const page of ["man/portsnare.8", "man/fr/portsnare.8"]) {
  Deno.test(`${page} tells of every verb and option that there is, and of no other`, async () => {
    const text = await Deno.readTextFile(new URL(`../../${page}`, import.meta.url));
    const [synopsis = "", commands = ""] = text.split(/^\.SH (?:DESCRIPTION|COMMANDE?S)$/m).filter((_, i) =>
      i !== 1
    );
    const there = namesIn(commandLine.usage);
    // The library's own.
    const verbs = [...there.verbs, "completions"].toSorted();
    const told = [...commands.split(/^\.SH/m, 1)[0]?.matchAll(/^\.TP\n\.BI? "?([a-z]+)/gm) ?? []].map((
      match,
    ) => match[1]);
    assert.deepEqual(told.toSorted(), verbs, "the list of commands");
    for (const verb of verbs) {
      assert.match(synopsis, new RegExp(`\\b${verb}\\b`), `the synopsis lacks ${verb}`);
    }
    const written = [...synopsis.replaceAll("\\-", "-").matchAll(/(?<=[ ([])--[a-z-]+/g)].map(([name]) =>
      name
    );
    assert.deepEqual(
      [...new Set(written)].toSorted(),
      there.options.toSorted(),
      "the options of the synopsis",
    );
  });
}

/** The verbs and options of the grammar; options that also have a letter are told by that. */
function namesIn(usage: Usage): { readonly verbs: readonly string[]; readonly options: readonly string[] } {
  const text = JSON.stringify(usage);
  const verbs = [...text.matchAll(/"type":"command","name":"([a-z]+)"/g)].map((match) => match[1] ?? "");
  const options = [...text.matchAll(/"names":\["(--[a-z-]+)"\]/g)].map((match) => match[1] ?? "");
  return { verbs, options: [...new Set(options)] };
}
