/** The threat model names tests; they must be there. @module */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

Deno.test("every test that the threat model names exists", async () => {
  const text = (await Deno.readTextFile(new URL("docs/threat-model.md", ROOT))).replaceAll(
    /\s*\n(?![|\n])/g,
    " ",
  );
  const named = [...text.matchAll(/`(tests\/[\w/]+_test\.ts)`: "([^"]+)"/g)];
  assert.ok(named.length > 50, `only ${named.length} tests are named`);
  const missing: string[] = [];
  for (const [, file = "", name = ""] of named) {
    const source = await Deno.readTextFile(new URL(file, ROOT)).catch(() => "");
    if (!source.includes(name)) missing.push(`${file}: ${name}`);
  }
  assert.deepEqual(missing, []);
});

Deno.test("every row of the threat model names a test, another row or a limit", async () => {
  const text = await Deno.readTextFile(new URL("docs/threat-model.md", ROOT));
  const rows = text.split("\n").filter((line) =>
    line.startsWith("| ") && !/^\| (?:what|who|some|a neigh|a local|the admin)/.test(line)
  );
  const bare = rows.filter((row) => !/_test\.ts`: "|the same|\*\*limit\*\*/.test(row));
  assert.deepEqual(bare, []);
});
