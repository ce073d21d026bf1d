/**
 * The program under test in the hands of somebody without rights.
 * @module
 */
import assert from "node:assert/strict";
import { DENO } from "./deno.ts";
import { run } from "./lab.ts";

/** Puts a command behind it into nobody's hands, without capabilities and without a way to any. */
export const AS_NOBODY: readonly string[] = [
  "setpriv",
  "--reuid",
  "65534",
  "--regid",
  "65534",
  "--clear-groups",
  "--inh-caps=-all",
  "--bounding-set=-all",
  "--no-new-privs",
];

/** The program under test, copied to a directory where everybody can execute it: its sources may lie below a home. */
export async function programIn(place: string): Promise<readonly string[]> {
  await Deno.chmod(place, 0o755);
  const built = Deno.env.get("PORTSNARE_EXECUTABLE");
  const runtime = `${place}/runtime`;
  await Deno.copyFile(built ?? DENO, runtime);
  if (built !== undefined) return [runtime];
  const main = new URL("../../src/main.ts", import.meta.url).pathname;
  const bundled = `${place}/main.js`;
  const bundle = await run([DENO, "bundle", "--quiet", "--platform", "deno", "--output", bundled, main]);
  assert.equal(bundle.code, 0, bundle.stderr);
  return ["env", `DENO_DIR=${place}/none`, runtime, "run", "-A", "--no-config", "--no-lock", bundled];
}
