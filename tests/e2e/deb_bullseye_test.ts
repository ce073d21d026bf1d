/**
 * The Debian package in a real Debian 11 with its own systemd: `scripts/deb_test.sh` does it, this holds it to its word.
 * @module
 */
import assert from "node:assert/strict";

const ROOT = new URL("../..", import.meta.url).pathname;

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(command, { args: [...args], cwd: ROOT, stdin: "null" }).output();
  const said = new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
  assert.ok(output.success, `${command} ${args.join(" ")} left with ${output.code}:\n${said}`);
  return said;
}

Deno.test("the package installs, bans, survives and goes on Debian 11 (C5, C8, C9, C15, C16, C24)", async () => {
  await run("scripts/build_deb.sh");
  const said = await run("scripts/deb_test.sh", "bullseye");
  assert.match(said, /^deb_test: \d+ checks passed: bullseye$/m);
});
