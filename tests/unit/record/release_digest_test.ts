import assert from "node:assert/strict";
import { type Ended, ReleaseDigest } from "../../../src/record/release_digest.ts";
import { prefix } from "../../lab/addresses.ts";

function ended(number: number, ok = true): Ended {
  const outcome = ok
    ? { ok, action: "nftables" } as const
    : { ok, action: "nftables", error: "EIO" } as const;
  return { target: prefix(`192.0.2.${number}`), outcomes: [outcome] };
}

Deno.test("ReleaseDigest tells a hundred by name and the rest as a number, over any number of batches", () => {
  const digest = new ReleaseDigest("unblocked");
  const batches = Array.from(
    { length: 5 },
    (_, batch) => Array.from({ length: 30 }, (_, i) => ended(batch * 30 + i, batch !== 4)),
  );
  const told = batches.flatMap((batch) => digest.take(batch, 7));
  assert.deepEqual(told.map((event) => event.target), Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`));
  assert.deepEqual(told[99], {
    type: "release",
    time: 7,
    target: "192.0.2.99",
    cause: "unblocked",
    outcomes: [{ ok: true, action: "nftables" }],
  });
  assert.deepEqual(digest.rest(8), [{
    type: "releases",
    time: 8,
    cause: "unblocked",
    released: 20,
    failed: 30,
  }]);
});

Deno.test("ReleaseDigest says nothing more when everything was told", () => {
  const digest = new ReleaseDigest("expired");
  assert.equal(digest.take([ended(1), ended(2, false)], 7).length, 2);
  assert.deepEqual(digest.rest(7), []);
});
