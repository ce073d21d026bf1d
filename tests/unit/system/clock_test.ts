/**
 * The real clocks.
 * @module
 */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/system/clock.ts";

Deno.test("systemClock.bootSeconds agrees with the kernel's uptime", () => {
  const before = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
  const seconds = systemClock.bootSeconds();
  const after = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
  // /proc/uptime is cut to hundredths.
  assert.ok(seconds >= before - 0.01 && seconds <= after + 0.02, `${before} ${seconds} ${after}`);
});

Deno.test("systemClock.bootId is the kernel's", () => {
  assert.equal(systemClock.bootId, Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim());
});

Deno.test("systemClock.now is in seconds and monotonicMs does not go back", () => {
  assert.ok(Math.abs(systemClock.now() - Date.now() / 1000) < 5);
  const first = systemClock.monotonicMs();
  assert.ok(systemClock.monotonicMs() >= first);
});
