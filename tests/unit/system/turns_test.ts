import assert from "node:assert/strict";
import { Turns } from "../../../src/system/turns.ts";

Deno.test("Turns.take begins before it returns when nothing is going on", () => {
  const said: string[] = [];
  void new Turns().take(["a"], () => {
    said.push("begun");
    return Promise.resolve();
  });
  assert.deepEqual(said, ["begun"]);
});

Deno.test("Turns.take lets one about a key end before the next, and others go ahead", async () => {
  const turns = new Turns();
  const said: string[] = [];
  const gate = Promise.withResolvers<void>();
  const step = (name: string, wait?: Promise<void>) => async (): Promise<void> => {
    said.push(`${name} begins`);
    await wait;
    said.push(`${name} ends`);
  };
  const first = turns.take(["a"], step("first", gate.promise));
  const second = turns.take(["b", "a"], step("second"));
  const third = turns.take(["a", "a"], step("third"));
  await turns.take(["c"], step("other"));
  assert.deepEqual(said, ["first begins", "other begins", "other ends"]);
  assert.equal(turns.isBusy("a"), true);
  gate.resolve();
  await Promise.all([first, second, third]);
  assert.deepEqual(said.slice(3), [
    "first ends",
    "second begins",
    "second ends",
    "third begins",
    "third ends",
  ]);
  assert.equal(turns.isBusy("a"), false);
});

Deno.test("Turns.take gives the turn back when the body fails", async () => {
  const turns = new Turns();
  await assert.rejects(turns.take(["a"], () => Promise.reject(new Error("no"))), /no/);
  assert.equal(await turns.take(["a"], () => Promise.resolve(1)), 1);
});

Deno.test("Turns.ended waits for what is going on", async () => {
  const turns = new Turns();
  await turns.ended();
  const gate = Promise.withResolvers<void>();
  let isDone = false;
  void turns.take(["a"], async () => {
    await gate.promise;
    isDone = true;
  });
  const ended = turns.ended();
  gate.resolve();
  await ended;
  assert.equal(isDone, true);
});
