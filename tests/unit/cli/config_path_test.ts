import assert from "node:assert/strict";
import { configPath } from "../../../src/cli/config_path.ts";

Deno.test("configPath takes the command line, else the environment, else what the service is started with", async () => {
  const defaults = await Deno.makeTempFile();
  const written = async (text: string): Promise<string> => {
    await Deno.writeTextFile(defaults, text);
    return configPath(undefined, defaults);
  };
  try {
    assert.equal(await written(""), "/etc/portsnare/config.toml");
    assert.equal(configPath(undefined, `${defaults}.none`), "/etc/portsnare/config.toml");
    assert.equal(await written("PORTSNARE_CONFIG=/a\nPORTSNARE_OPTS=--dry-run\n"), "/a");
    assert.equal(await written('#PORTSNARE_CONFIG=/a\nPORTSNARE_CONFIG="/b c"\n'), "/b c");
    assert.equal(await written("PORTSNARE_CONFIG=/a\n PORTSNARE_CONFIG='/b'"), "/b");
    assert.equal(await written("PORTSNARE_CONFIG=\n"), "/etc/portsnare/config.toml");
    assert.equal(configPath("/given", defaults), "/given");
    Deno.env.set("PORTSNARE_CONFIG", "/environment");
    assert.equal(await written("PORTSNARE_CONFIG=/a\n"), "/environment");
  } finally {
    Deno.env.delete("PORTSNARE_CONFIG");
    await Deno.remove(defaults);
  }
});
