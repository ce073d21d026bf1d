import assert from "node:assert/strict";
import { measuredPart, withMeasuredPart } from "../../../bench/readme.ts";

const ROOT = new URL("../../../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", ROOT));
const results = await Deno.readTextFile(new URL("bench/RESULTS.md", ROOT));

Deno.test("the README's figures are those of bench/RESULTS.md", () => {
  const short = /^## In short\n\n([\s\S]*?)\n\n## /m.exec(results)?.[1];
  assert.ok(short !== undefined, "bench/RESULTS.md has no short table");
  assert.equal(measuredPart(readme), short, "Run make bench: it writes both");
});

Deno.test("withMeasuredPart changes what stands between the markers and nothing else", () => {
  const [before = "", after = ""] = readme.split(measuredPart(readme));
  const other = withMeasuredPart(readme, "| a |");
  assert.equal(measuredPart(other), "| a |");
  assert.equal(other, `${before}| a |${after}`);
  assert.equal(withMeasuredPart(other, measuredPart(readme)), readme);
});

Deno.test("withMeasuredPart refuses a README without its markers", () => {
  assert.throws(() => withMeasuredPart("# nothing", "x"), /has no lines/);
});
