import assert from "node:assert/strict";
import { exampleConfig } from "../../../src/config/example.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { defaultConfig, KEY_DOCS, SECTION_DOCS } from "../../../src/config/schema.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

Deno.test("config.example.toml is what exampleConfig writes", async () => {
  assert.equal(
    (await Deno.readTextFile(`${ROOT}config.example.toml`)).trimEnd(),
    exampleConfig().trimEnd(),
    "the schema has changed: write the file anew with `deno task example`",
  );
});

Deno.test("config.example.toml loads to the defaults, and mentions every key", async () => {
  const path = `${ROOT}config.example.toml`;
  const { config, warnings } = await loadConfig(path);
  assert.deepEqual(config, defaultConfig());
  assert.deepEqual(warnings, []);
  const lines = (await Deno.readTextFile(path)).split("\n");
  for (const [section, keys] of KEY_DOCS) {
    assert.ok(lines.includes(`[${section}]`), section);
    for (const key of keys.keys()) {
      assert.ok(lines.some((line) => line.replace(/^#/, "").startsWith(`${key} = `)), key);
    }
  }
});

Deno.test("config.example.toml loads with every commented-out key in force, too", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const text = exampleConfig().replace(/^#(?=\w+ = )/gm, "");
    await Deno.writeTextFile(`${directory}/config.toml`, text);
    const { config } = await loadConfig(`${directory}/config.toml`);
    assert.equal(config.files.blocked, "/var/lib/portsentry/portsentry.blocked");
    assert.equal(config.actions.kill_hosts_deny, "ALL: $TARGET$ : DENY");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("every section and key is documented in whole sentences", () => {
  assert.deepEqual(Object.keys(SECTION_DOCS), [...KEY_DOCS.keys()]);
  for (const [section, keys] of KEY_DOCS) {
    for (const [key, { help, form }] of keys) {
      assert.match(help, /^[A-Za-z0-9"$`].*\.$/s, `${section}.${key}`);
      assert.ok(form.length > 0 && !form.endsWith("."), `${section}.${key}`);
    }
  }
});
