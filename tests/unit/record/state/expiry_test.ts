/**
 * No ban lengthens or vanishes because a clock was set.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { clockStep, type Moment, secondsLeft, steadyWall } from "../../../../src/record/state/expiry.ts";

const anchor: Moment = { wall: 1_000_000, boot: 500, bootId: "a" };
/** Made at the anchor, for an hour. */
const hour = { expires: 1_003_600, seconds: 3600 };

Deno.test("secondsLeft goes by the boot clock within a boot and by the wall clock across a reboot", () => {
  const rows: readonly [string, Moment, number][] = [
    ["at once", anchor, 3600],
    ["a minute later", { wall: 1_000_060, boot: 560, bootId: "a" }, 3540],
    ["wall clock set an hour forth", { wall: 1_003_660, boot: 560, bootId: "a" }, 3540],
    ["wall clock set an hour back", { wall: 996_460, boot: 560, bootId: "a" }, 3540],
    ["wall clock set to 1970", { wall: 60, boot: 560, bootId: "a" }, 3540],
    ["over", { wall: 1_003_600, boot: 4100, bootId: "a" }, 0],
    ["long over", { wall: 1_010_000, boot: 10_500, bootId: "a" }, -6400],
    ["after a reboot", { wall: 1_000_600, boot: 5, bootId: "b" }, 3000],
    ["after a reboot, no clock battery", { wall: 0, boot: 5, bootId: "b" }, 3600],
    ["after a long time off", { wall: 2_000_000, boot: 5, bootId: "b" }, -996_400],
  ];
  for (const [what, now, left] of rows) assert.equal(secondsLeft(hour, { anchor, now }), left, what);
});

Deno.test("secondsLeft is never more than the ban was made for", () => {
  assert.equal(secondsLeft({ expires: 9_999_999, seconds: 60 }, { anchor, now: anchor }), 60);
});

Deno.test("clockStep sees a clock that was set and not one that drifts", () => {
  const at = (wall: number, boot: number, bootId = "a"): number => clockStep(anchor, { wall, boot, bootId });
  const rows: readonly [number, number][] = [
    [at(1_000_060, 560), 0],
    [at(1_000_060.9, 560), 0],
    [at(1_003_660, 560), 3600],
    [at(996_460, 560), -3600],
    [at(1_000_600, 5, "b"), 0],
    [at(0, 5, "b"), -1_000_000],
  ];
  for (const [step, expected] of rows) assert.equal(step, expected);
});

Deno.test("Moving the anchor as clockStep says changes what no ban has left", () => {
  const moment = fc.record({
    wall: fc.integer({ min: 0, max: 4_000_000_000 }),
    boot: fc.integer({ min: 500, max: 100_000_000 }),
    bootId: fc.constantFrom("a", "b"),
  });
  fc.assert(fc.property(moment, fc.integer({ min: 1, max: 3e8 }), (now, seconds) => {
    const deadline = { expires: anchor.wall + seconds, seconds };
    const before = secondsLeft(deadline, { anchor, now });
    const step = clockStep(anchor, now);
    const moved = { ...deadline, expires: deadline.expires + step };
    const next = step === 0 ? { ...now, wall: steadyWall(anchor, now) } : now;
    assert.ok(Math.abs(secondsLeft(moved, { anchor: next, now }) - before) < 1e-6);
  }));
});
