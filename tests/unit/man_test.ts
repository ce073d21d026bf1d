/**
 * The manual pages that are made from the schema.
 * @module
 */
import assert from "node:assert/strict";
import { manualPages, schemaTexts, translations } from "../../scripts/man.ts";
import { KEY_DOCS } from "../../src/config/schema.ts";

const FRENCH = new URL("../../man/fr/texts.toml", import.meta.url);

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
