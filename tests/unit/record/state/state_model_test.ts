/**
 * The state against a map that does the same, and against files in which any byte may be wrong.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix } from "../../../../src/net/prefix.ts";
import { State } from "../../../../src/record/state/state.ts";
import { ban, FakeClock, withDatabase } from "./lab_state.ts";
import { prefix } from "../../../lab/addresses.ts";

type Step =
  | { readonly do: "ban"; readonly who: number; readonly seconds: number | undefined }
  | { readonly do: "release"; readonly who: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "set-clock"; readonly seconds: number }
  | { readonly do: "restart" }
  | { readonly do: "reboot" }
  | { readonly do: "remove-file" }
  | { readonly do: "break-file" };

const who = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("ban" as const),
    who,
    seconds: fc.option(fc.integer({ min: 1, max: 9999 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constant("release" as const), who }),
  fc.record({ do: fc.constant("pass" as const), seconds: fc.nat(5000) }),
  fc.record({ do: fc.constant("set-clock" as const), seconds: fc.integer({ min: -90_000, max: 90_000 }) }),
  fc.record({
    do: fc.constantFrom("restart" as const, "reboot" as const, "remove-file" as const, "break-file" as const),
  }),
);

/** The model: when each ban ends, in seconds that nobody can set. */
class Model {
  readonly until = new Map<string, number>();
  time = 0;
}

function target(who: number): string {
  return who < 6 ? `10.0.0.${who}` : `fd77::${who}`;
}

function apply(
  step: Step,
  world: { state: State; readonly model: Model; readonly clock: FakeClock; readonly path: string },
): void {
  const { model, clock, path } = world;
  switch (step.do) {
    case "ban":
      world.state.saveBans([ban(target(step.who), clock, { seconds: step.seconds })]);
      model.until.set(target(step.who), model.time + (step.seconds ?? Infinity));
      return;
    case "release":
      world.state.saveReleases([
        { target: prefix(target(step.who)), time: clock.now(), cause: "unblocked", outcomes: [] },
      ]);
      model.until.delete(target(step.who));
      return;
    case "pass":
      clock.pass(step.seconds);
      model.time += step.seconds;
      world.state.tick();
      return;
    case "set-clock":
      clock.wall += step.seconds;
      world.state.tick();
      return;
    case "restart":
    case "reboot":
      world.state[Symbol.dispose]();
      if (step.do === "reboot") clock.reboot(60);
      if (step.do === "reboot") model.time += 60;
      world.state = new State(path, clock);
      return;
    case "remove-file":
      Deno.removeSync(path);
      world.state.tick();
      return;
    case "break-file":
      // Only the header: it is read at the next restart at the latest, and by then the file was written anew.
      Deno.renameSync(path, `${path}.away`);
      Deno.writeTextFileSync(path, "broken ".repeat(200));
      world.state.tick();
      Deno.removeSync(`${path}.away`);
      for (const entry of Deno.readDirSync(path.replace("/portsnare.db", ""))) {
        if (entry.name.includes(".corrupt-")) Deno.removeSync(path.replace("portsnare.db", entry.name));
      }
      return;
  }
}

Deno.test("State agrees with a map after any sequence of bans, releases, set clocks, restarts and lost files", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await withDatabase((path) => {
        const clock = new FakeClock();
        const world = { state: new State(path, clock), model: new Model(), clock, path };
        try {
          for (const step of steps) {
            apply(step, world);
            assert.deepEqual(world.state.health, { ok: true });
            const actual = [...world.state.active()]
              .map((active) => [formatPrefix(active.target), Math.round(active.secondsLeft)]).sort();
            const expected = [...world.model.until]
              .map(([name, until]) => [name, until - world.model.time]).sort();
            assert.deepEqual(actual, expected);
          }
        } finally {
          world.state[Symbol.dispose]();
        }
      });
    }),
    { numRuns: 60 },
  );
});

Deno.test("State opens any file whatever, never throws, never hangs, and keeps what comes next", async () => {
  let original = new Uint8Array();
  await withDatabase((path) => {
    const clock = new FakeClock();
    {
      using state = new State(path, clock);
      state.saveBans(Array.from({ length: 60 }, (_, i) => ban(`10.0.0.${i}`, clock)));
    }
    original = Deno.readFileSync(path);
  });
  const mutation = fc.record({
    flips: fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 }),
    length: fc.oneof(fc.constant(original.length), fc.nat(original.length)),
    wal: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ flips, length, wal }) => {
      await withDatabase((path) => {
        const bytes = original.slice();
        for (const [at, value] of flips) bytes[at] = value;
        Deno.writeFileSync(path, bytes.subarray(0, length));
        if (wal !== undefined) Deno.writeFileSync(`${path}-wal`, wal);
        const clock = new FakeClock();
        clock.pass(10);
        {
          using state = new State(path, clock);
          state.saveBans([ban("192.0.2.1", clock)]);
          clock.pass(120);
          state.tick();
          state.saveOutcomes(prefix("192.0.2.1"), []);
          state.find(prefix("192.0.2.1").address);
          state.unrecorded();
          state.prune(0);
          state.listeners(0);
          assert.equal(state.get(prefix("192.0.2.1"))?.secondsLeft, 3480);
          // The file format and schema versions (sqlite.org/fileformat2.html, section 1.3): a higher number there is
          // the word of a later release, whose file is left alone.
          const isOfTheFuture = flips.some(([at]) => at === 18 || (at >= 60 && at < 64));
          if (isOfTheFuture && !state.health.ok) return;
          assert.deepEqual(state.health, { ok: true });
        }
        using again = new State(path, clock);
        assert.equal(Math.round(again.get(prefix("192.0.2.1"))?.secondsLeft ?? NaN), 3480);
      });
    }),
    { numRuns: 200 },
  );
});
