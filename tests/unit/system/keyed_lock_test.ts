import assert from "node:assert/strict";
import { KeyedLock } from "../../../src/system/keyed_lock.ts";

Deno.test("KeyedLock.hold begins before it returns when the keys are free", () => {
  const said: string[] = [];
  void new KeyedLock().hold(["a"], () => {
    said.push("begun");
    return Promise.resolve();
  });
  assert.deepEqual(said, ["begun"]);
});

Deno.test("KeyedLock.hold lets one body with a key end before the next, and those of other keys go ahead", async () => {
  const lock = new KeyedLock();
  const said: string[] = [];
  const gate = Promise.withResolvers<void>();
  const step = (name: string, wait?: Promise<void>) => async (): Promise<void> => {
    said.push(`${name} begins`);
    await wait;
    said.push(`${name} ends`);
  };
  const first = lock.hold(["a"], step("first", gate.promise));
  const second = lock.hold(["b", "a"], step("second"));
  const third = lock.hold(["a", "a"], step("third"));
  await lock.hold(["c"], step("other"));
  assert.deepEqual(said, ["first begins", "other begins", "other ends"]);
  assert.equal(lock.isHeld("a"), true);
  gate.resolve();
  await Promise.all([first, second, third]);
  assert.deepEqual(said.slice(3), [
    "first ends",
    "second begins",
    "second ends",
    "third begins",
    "third ends",
  ]);
  assert.equal(lock.isHeld("a"), false);
});

Deno.test("KeyedLock.hold gives the keys back when the body fails", async () => {
  const lock = new KeyedLock();
  await assert.rejects(lock.hold(["a"], () => Promise.reject(new Error("no"))), /no/);
  assert.equal(await lock.hold(["a"], () => Promise.resolve(1)), 1);
});

Deno.test("KeyedLock.idle waits for the keys that are held", async () => {
  const lock = new KeyedLock();
  await lock.idle();
  const gate = Promise.withResolvers<void>();
  let isDone = false;
  void lock.hold(["a"], async () => {
    await gate.promise;
    isDone = true;
  });
  const ended = lock.idle();
  gate.resolve();
  await ended;
  assert.equal(isDone, true);
});
