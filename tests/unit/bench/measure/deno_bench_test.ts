import assert from "node:assert/strict";
import { benchRows } from "../../../../bench/measure/deno_bench.ts";

Deno.test("benchRows takes name, group and times out of deno's report", () => {
  const json = JSON.stringify({
    version: 1,
    benches: [
      { group: "g", name: "one", results: [{ ok: { avg: 47.2, p99: 433.4, n: 1107 } }] },
      { group: null, name: "two", results: [{ ok: { avg: 1, p99: 2 } }] },
    ],
  });
  assert.deepEqual(benchRows(json), [
    { group: "g", name: "one", meanNs: 47.2, p99Ns: 433.4 },
    { group: "", name: "two", meanNs: 1, p99Ns: 2 },
  ]);
});

Deno.test("benchRows refuses a report with a bench that failed", () => {
  const json = JSON.stringify({ benches: [{ group: null, name: "bad", results: [{ failed: {} }] }] });
  assert.throws(() => benchRows(json), /"bad" failed/);
});
