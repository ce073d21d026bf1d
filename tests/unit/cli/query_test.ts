import assert from "node:assert/strict";
import { describeOutcomes, describeStory } from "../../../src/cli/query.ts";

const NONE = { action: "none", ok: true, detail: "" };
const ROUTE = { action: "kill_route", ok: true, detail: "route add 192.0.2.1" };

Deno.test("describeOutcomes has no word for a firewall that is none, unless there is nothing else", () => {
  assert.deepEqual(describeOutcomes([NONE, ROUTE]), ["kill_route: done: route add 192.0.2.1"]);
  assert.deepEqual(describeOutcomes([{ action: "nftables", ok: false, detail: "EPERM" }]), [
    "nftables: FAILED: EPERM",
  ]);
  assert.deepEqual(describeOutcomes([]), []);
  assert.match(describeOutcomes([NONE]).join(), /^nothing keeps it out: actions\.firewall is "none"/);
});

Deno.test("describeStory tells what was done and taken back", () => {
  const story = describeStory({
    address: "192.0.2.1",
    blocked: false,
    exempt: null,
    standing: null,
    pending: [],
    offences: [{
      target: "192.0.2.1",
      since: 0,
      until: null,
      ended: { time: 60, cause: "unblocked" },
      offence: 1,
      reason: "probed a trapped port",
      evidence: [],
      outcomes: [NONE, ROUTE],
      undone: [NONE, { ...ROUTE, detail: "route del 192.0.2.1" }],
    }],
  });
  assert.deepEqual(story.split("\n").slice(3), [
    "  kill_route: done: route add 192.0.2.1",
    "  taken back: kill_route: done: route del 192.0.2.1",
  ]);
});
