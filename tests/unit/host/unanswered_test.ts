import assert from "node:assert/strict";
import { Unanswered } from "../../../src/host/unanswered.ts";

const HOUR_MS = 3_600_000;

Deno.test("Unanswered.takeNotice tells of each reason once, and of one that lasts again after an hour", () => {
  const unanswered = new Unanswered("who is logged in", "the last answer stands");
  assert.equal(unanswered.takeNotice(0), undefined);
  unanswered.add(new Error("list tcp sockets: ENOBUFS"));
  assert.match(
    unanswered.takeNotice(0) ?? "",
    /^The kernel did not say who is logged in \(once, last: .*ENOBUFS\)/,
  );
  unanswered.add(new Error("list tcp sockets: ENOBUFS"));
  assert.equal(unanswered.takeNotice(HOUR_MS - 1), undefined, "the same reason within the hour");
  assert.match(unanswered.takeNotice(HOUR_MS) ?? "", /\(once, last/, "it counts those that were not told");
  assert.equal(unanswered.takeNotice(3 * HOUR_MS), undefined, "nothing new");
  unanswered.add(new Error("list tcp sockets: EPERM"));
  assert.match(
    unanswered.takeNotice(3 * HOUR_MS + 1) ?? "",
    /EPERM.*the last answer stands$/,
    "another reason at once",
  );
  assert.equal(unanswered.failures, 3);
});
