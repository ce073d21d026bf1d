import assert from "node:assert/strict";
import fc from "fast-check";
import { Bans } from "../../src/bans.ts";
import { defaultConfig } from "../../src/config/schema.ts";
import { formatPrefix } from "../../src/net/prefix.ts";
import { State } from "../../src/record/state/state.ts";
import { Responder } from "../../src/respond/responder.ts";
import { FakeClock, withDatabase } from "./record/state/lab_state.ts";
import { FakeBackend } from "./respond/fake_backend.ts";
import { prefix } from "../lab/addresses.ts";

const HOUR = 3600;

/** The daemon's bans and state on clocks that the test sets, with the rounds that the daemon makes each second. */
class Machine {
  readonly clock = new FakeClock();
  readonly backend = new FakeBackend();
  readonly #path: string;
  state: State;
  bans: Bans;

  constructor(path: string) {
    this.#path = path;
    this.state = new State(path, this.clock);
    this.bans = this.#made();
  }

  #made(): Bans {
    const config = defaultConfig();
    const exec = (): never => assert.fail("no command is configured");
    return new Bans({
      config,
      responder: new Responder({ config, backend: this.backend, exec, dryRun: true }),
      state: this.state,
      recorder: { record: () => ({ isWritten: true }) },
      clock: this.clock,
      evidence: () => [],
      forget: () => {},
    });
  }

  /** Time goes by, second by second. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.clock.pass(1);
      await this.bans.expire();
      this.state.tick();
    }
  }

  /** The process ends and begins again, with or without a boot. */
  async restart(options: { readonly offSeconds?: number } = {}): Promise<void> {
    this.state[Symbol.dispose]();
    if (options.offSeconds !== undefined) {
      this.clock.reboot(options.offSeconds);
      this.backend.banned.clear();
    }
    this.state = new State(this.#path, this.clock);
    this.bans = this.#made();
    await this.bans.restore();
  }

  inForce(): readonly string[] {
    return [...this.bans.targets()].map(formatPrefix).sort();
  }
}

Deno.test("Bans: a clock that jumps an hour, forth and back, while the daemon runs lengthens no ban and ends none", async () => {
  await withDatabase(async (path) => {
    const machine = new Machine(path);
    await machine.bans.impose({ target: prefix("192.0.2.1"), seconds: 600 });
    await machine.bans.impose({ target: prefix("192.0.2.0/24"), seconds: undefined });
    for (const jump of [HOUR, -HOUR, -HOUR, 2 * HOUR]) {
      machine.clock.wall += jump;
      await machine.pass(100);
      const kernel = [...machine.backend.banned.keys()].sort();
      assert.deepEqual(machine.inForce(), ["192.0.2.0/24", "192.0.2.1"], `after ${jump}`);
      assert.deepEqual(kernel, machine.inForce());
    }
    await machine.pass(199);
    assert.deepEqual(machine.inForce(), ["192.0.2.0/24", "192.0.2.1"]);
    await machine.pass(1);
    assert.deepEqual(
      machine.inForce(),
      ["192.0.2.0/24"],
      "600 seconds after it was made, whatever the clock says",
    );
    assert.deepEqual([...machine.backend.banned.keys()], ["192.0.2.0/24"]);
  });
});

Deno.test("Bans: a jump while the daemon is down, or between a jump and a boot, counts neither", async () => {
  await withDatabase(async (path) => {
    const machine = new Machine(path);
    await machine.bans.impose({ target: prefix("192.0.2.1"), seconds: 600 });
    machine.state[Symbol.dispose]();
    machine.clock.wall += HOUR;
    machine.clock.pass(50);
    await machine.restart();
    assert.equal(machine.backend.banned.get("192.0.2.1"), 550);
    assert.equal(machine.state.get(prefix("192.0.2.1"))?.secondsLeft, 550);
    machine.clock.wall -= HOUR;
    await machine.pass(2);
    await machine.restart({ offSeconds: 48 });
    assert.equal(machine.state.get(prefix("192.0.2.1"))?.secondsLeft, 500);
    assert.equal(machine.backend.banned.get("192.0.2.1"), 500);
  });
});

Deno.test("Bans: whatever happens to the wall clock, a ban lasts as long as it was made for", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("pass" as const), by: fc.integer({ min: 1, max: 90 }) }),
    fc.record({ kind: fc.constant("jump" as const), by: fc.integer({ min: -100_000, max: 100_000 }) }),
    fc.record({ kind: fc.constant("restart" as const), by: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await withDatabase(async (path) => {
        const machine = new Machine(path);
        await machine.bans.impose({ target: prefix("192.0.2.1"), seconds: 300 });
        let age = 0;
        for (const { kind, by } of steps) {
          if (kind === "pass") await machine.pass(by);
          else if (kind === "jump") machine.clock.wall += by;
          else await machine.restart();
          if (kind === "pass") age += by;
          await machine.bans.expire();
          assert.equal(machine.inForce().length, age < 300 ? 1 : 0, `${kind} ${by} at ${age}`);
        }
        machine.state[Symbol.dispose]();
      });
    }),
    { numRuns: 20 },
  );
});
