/**
 * How bans grow.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { banSeconds } from "../../../src/respond/ban_length.ts";

Deno.test("F6: banSeconds grows by the factor with each offence up to the longest", () => {
  const day = 86400;
  const rows: readonly [Parameters<typeof banSeconds>[0], number, number | undefined][] = [
    [{ duration: day, factor: 2, max_duration: 28 * day }, 1, day],
    [{ duration: day, factor: 2, max_duration: 28 * day }, 2, 2 * day],
    [{ duration: day, factor: 2, max_duration: 28 * day }, 5, 16 * day],
    [{ duration: day, factor: 2, max_duration: 28 * day }, 6, 28 * day],
    [{ duration: day, factor: 2, max_duration: 28 * day }, 5000, 28 * day],
    [{ duration: day, factor: 1, max_duration: 28 * day }, 9, day],
    [{ duration: day, factor: 1.5, max_duration: Infinity }, 2, 1.5 * day],
    [{ duration: day, factor: 100, max_duration: Infinity }, 50, undefined],
    [{ duration: Infinity, factor: 2, max_duration: day }, 1, undefined],
    [{ duration: 2 * day, factor: 2, max_duration: day }, 1, day],
    [{ duration: day, factor: 2, max_duration: 28 * day }, 0, day],
    [{ duration: 1, factor: 1.1, max_duration: day }, 2, 2],
  ];
  for (const [lengths, offence, seconds] of rows) {
    assert.equal(banSeconds(lengths, offence), seconds, JSON.stringify([lengths, offence]));
  }
});

Deno.test("F6: banSeconds never makes a later offence shorter, nor any longer than the longest", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 1e8 }),
    fc.double({ min: 1, max: 100, noNaN: true }),
    fc.integer({ min: 1, max: 3e8 }),
    fc.integer({ min: 1, max: 1000 }),
    (duration, factor, max_duration, offence) => {
      const lengths = { duration, factor, max_duration };
      const first = banSeconds(lengths, offence) ?? Infinity;
      const second = banSeconds(lengths, offence + 1) ?? Infinity;
      assert.ok(second >= first && second <= max_duration && first >= 1);
    },
  ));
});
