import assert from "node:assert/strict";
import { ratioGoal } from "../../../bench/case.ts";
import { gistTable, reportText } from "../../../bench/report.ts";

const of = { title: "1. Case", about: "About it." };
const goal = { goal: "g", measured: "m", limit: "because" };

Deno.test("reportText tells of a missed goal what limits it, and of a reached one nothing more", () => {
  const goals = [{ ...goal, what: "good", reached: true }, { ...goal, what: "bad", reached: false }];
  const text = reportText(["# Head"], [{ of, report: { tables: [], notes: ["Note."], goals } }]);
  assert.match(text, /^# Head\n\n## Goals\n/);
  assert.match(text, /\| good +\| g +\| m +\| yes +\|/);
  assert.match(text, /\| bad +\| g +\| m +\| \*\*no\*\* +\|/);
  assert.match(text, /\n\n\*\*bad\*\*: because\n\n## 1\. Case\n\nAbout it\.\n\nNote\.\n$/);
  assert.doesNotMatch(text, /\*\*good\*\*/);
});

Deno.test("reportText leaves out what nobody has to say", () => {
  const text = reportText(["# Head"], [{ of, report: { tables: [], notes: [] } }]);
  assert.equal(text, "# Head\n\n## 1. Case\n\nAbout it.\n");
});

Deno.test("gistTable has a column for each compared contestant that took part", () => {
  const gist = [
    { what: "memory", of: new Map([["PortSentry 1.2", "3 MB"], ["portsnare raw", "9 MB"]]) },
    { what: "speed", of: new Map([["no detector", "1"], ["portsnare raw", "2"]]) },
  ];
  const rows = gistTable(gist).split("\n").map((line) =>
    line.split("|").map((cell) => cell.trim()).slice(1, -1)
  );
  assert.deepEqual(rows.filter((_, index) => index !== 1), [
    ["", "PortSentry 1.2", "portsnare raw"],
    ["memory", "3 MB", "9 MB"],
    ["speed", "–", "2"],
  ]);
});

Deno.test("ratioGoal is reached at its bound, missed above it, and none without the other's figure", () => {
  const about = { what: "w", atMost: 0.2, of: "X", limit: "l" };
  const reached = (measured: number | undefined) => ratioGoal({ ...about, measured }).map((it) => it.reached);
  assert.deepEqual(reached(0.2), [true]);
  assert.deepEqual(reached(0.21), [false]);
  assert.deepEqual(reached(undefined), []);
});
