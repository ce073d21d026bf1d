import assert from "node:assert/strict";
import { defaultConfig } from "../../src/config/schema.ts";
import { Unanswered } from "../../src/host/unanswered.ts";
import { Upkeep, type UpkeepParts } from "../../src/upkeep.ts";

/** The daemon around it: everything that is asked and told, nothing that does anything. */
class Surroundings {
  readonly pruned: number[] = [];
  readonly notices: string[] = [];
  readonly unanswered: Unanswered = new Unanswered(
    "who is logged in",
    "who was at the last answer is protected",
  );
  marked = 0;
  rounds = 0;
  /** What the recorder says of lines that waited. */
  isWrittenNow = false;
  /** Runs what the timer would run, to its end. */
  #beat: () => void = () => {};

  /** Let so many seconds pass. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      const before = this.rounds;
      this.#beat();
      while (this.rounds === before) await Promise.resolve();
      // The round has an end behind the last thing that it does.
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
  }

  /** Upkeep at work, its timer in the hands of the test. */
  start(): Upkeep {
    const upkeep = new Upkeep(this.#parts());
    const real = globalThis.setInterval;
    // Only a function that takes no time is given: the one of the round.
    globalThis.setInterval = ((beat: () => void) => {
      this.#beat = beat;
      return 0;
    }) as unknown as typeof setInterval;
    try {
      upkeep.start();
    } finally {
      globalThis.setInterval = real;
    }
    return upkeep;
  }

  #parts(): UpkeepParts {
    const config = defaultConfig();
    const parts = {
      bans: { active: 0, expire: () => Promise.resolve(), restore: () => Promise.resolve([]) },
      state: {
        tick: () => {},
        takeNews: () => [],
        takeLateBans: () => [],
        actedBeforeBoot: () => [],
        prune: (seconds: number) => this.pruned.push(seconds),
        markRecorded: () => this.marked++,
        saveListeners: () => true,
      },
      recorder: { tick: () => this.isWrittenNow },
      responder: { takeMended: () => false },
      host: { protected: { refreshSessions: () => {} }, unanswered: () => [this.unanswered] },
      clock: { now: () => 0, monotonicMs: () => 0, bootSeconds: () => 0, bootId: "" },
      dryRun: false,
      current: () => ({
        config,
        watch: undefined,
        engineSetup: { check: () => Promise.resolve({ ok: true }), table: undefined },
      }),
      onRound: () => this.rounds++,
      notice: (_level: string, message: string) => this.notices.push(message),
    };
    // What a round does not touch is not there.
    return parts as unknown as UpkeepParts;
  }
}

Deno.test("Upkeep forgets old bans once an hour, so that the state file does not grow for ever", async () => {
  const around = new Surroundings();
  around.start();
  await around.pass(3599);
  assert.deepEqual(around.pruned, []);
  await around.pass(1);
  assert.deepEqual(around.pruned, [defaultConfig().files.keep]);
  await around.pass(3600);
  assert.equal(around.pruned.length, 2);
});

Deno.test("Upkeep marks bans as told once the history that waited is written", async () => {
  const around = new Surroundings();
  around.start();
  await around.pass(3);
  assert.equal(around.marked, 0);
  around.isWrittenNow = true;
  await around.pass(1);
  assert.equal(around.marked, 1);
});

Deno.test("Upkeep tells of what the kernel did not answer, and not each second", async () => {
  const around = new Surroundings();
  around.start();
  await around.pass(1);
  assert.deepEqual(around.notices, []);
  for (let second = 0; second < 3; second++) {
    around.unanswered.add(new Error("list tcp sockets: ENOBUFS"));
    await around.pass(1);
  }
  assert.deepEqual(around.notices, [
    "The kernel did not say who is logged in (once, last: list tcp sockets: ENOBUFS); who was at the last answer is protected",
  ]);
});
