import assert from "node:assert/strict";
import { isBad, summarize, type Summary, totalLine } from "../../scripts/test_summary.ts";

const FILES = ["tests/e2e/a_test.ts"];
const JUNIT = '<testsuite name="./tests/e2e/a_test.ts" tests="1">';

function summary(output: string, parts: { readonly code?: number; readonly junit?: string } = {}): Summary {
  return summarize("a", { code: 0, output, junit: JUNIT, files: FILES, ...parts });
}

Deno.test("summarize reads the last line of a run", () => {
  const rows: readonly (readonly [output: string, counts: readonly number[]])[] = [
    ["ok | 12 passed | 0 failed (5s)", [12, 0, 0]],
    ["x\n\nok | 7 passed (34 steps) | 0 failed (1m2s)\n", [7, 0, 0]],
    ["ok | 1 passed (2 steps) | 0 failed | 3 ignored (510ms)", [1, 0, 3]],
    ["ok | 9 passed | 0 failed (1s)\nok | 1 passed | 0 failed | 26 filtered out (5s)", [1, 0, 0]],
  ];
  for (const [output, counts] of rows) {
    const { passed, failed, skipped, faults } = summary(output);
    assert.deepEqual([passed, failed, skipped], counts, output);
    assert.deepEqual(faults, []);
  }
  const failing = summary("FAILED | 3 passed (24 steps) | 1 failed (1 step) | 2 ignored (15s)", { code: 1 });
  assert.deepEqual(failing, { name: "a", passed: 3, failed: 1, skipped: 2, faults: [] });
});

Deno.test("summarize does not take silence for success", () => {
  const cases: readonly (readonly [Summary, fault: RegExp])[] = [
    [summary("ok | 0 passed | 0 failed (31ms)", { junit: "<testsuites>" }), /a_test\.ts ran no test/],
    [summary("", { code: 137 }), /ended before its time, with exit code 137/],
    [summary("", { code: 0 }), /ended before its time/],
    [summary("ok | 1 passed | 0 failed (31ms)", { code: 1 }), /ended with exit code 1/],
  ];
  for (const [one, fault] of cases) {
    assert.match(one.faults.join(), fault);
    assert.ok(isBad(one, false));
  }
});

Deno.test("isBad minds a skipped test only where nobody watches", () => {
  const skipping = summary("ok | 1 passed | 0 failed | 1 ignored (1s)");
  assert.equal(isBad(skipping, false), false);
  assert.equal(isBad(skipping, true), true);
});

Deno.test("totalLine sums up, and a fault counts as a failure", () => {
  const good = summary("ok | 12 passed | 0 failed (5s)");
  const bad = summary("FAILED | 3 passed | 2 failed | 1 ignored (5s)", { code: 1, junit: "" });
  assert.equal(totalLine([good, good]), "24 passed, 0 failed");
  assert.equal(totalLine([good, bad]), "15 passed, 3 failed, 1 skipped");
  assert.equal(totalLine([]), "0 passed, 0 failed");
});
