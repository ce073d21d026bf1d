/**
 * The list of blocked hosts.
 * @module
 */
import assert from "node:assert/strict";
import { BlockedFile } from "../../../src/record/blocked_file.ts";
import { formatHistoryLine } from "../../../src/record/history.ts";
import { State } from "../../../src/record/state/state.ts";
import { ban, FakeClock, withDatabase } from "./state/lab_state.ts";
import { TIME } from "./fixtures.ts";
import { prefix } from "../../lab/addresses.ts";

Deno.test("F6 F21: BlockedFile holds one line for each ban in force, and none when it is over", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    const file = path.replace("portsnare.db", "portsentry.blocked");
    const blocked = new BlockedFile(file, clock);
    const lines = () => Deno.readTextFileSync(file).trimEnd().split("\n");
    const line = (address: string, port = 23) =>
      formatHistoryLine({ time: TIME, address, port, protocol: "tcp" });
    assert.deepEqual(blocked.update(state), { ok: true });
    assert.equal(Deno.readTextFileSync(file), "");
    state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.11", clock, { seconds: 60 })]);
    state.saveBans([ban("192.0.2.0/24", clock, { reason: "manual", evidence: [] })]);
    blocked.update(state);
    assert.deepEqual(lines(), [line("10.0.0.1"), line("10.0.0.11"), line("192.0.2.0/24", 0)]);
    assert.equal((Deno.statSync(file).mode ?? 0) & 0o777, 0o640);
    state.saveReleases([{ target: prefix("10.0.0.1"), time: clock.now(), cause: "unblocked", outcomes: [] }]);
    clock.pass(61);
    blocked.update(state);
    assert.deepEqual(lines(), [line("192.0.2.0/24", 0)]);
  });
});

Deno.test("BlockedFile writes only what changed, rests after a long write, and returns a failure", () => {
  let nowMs = 0;
  let asked = 0;
  const state = {
    version: 1,
    *active() {
      asked++;
      nowMs += 200;
      yield* [];
    },
  };
  const directory = Deno.makeTempDirSync();
  try {
    const blocked = new BlockedFile(`${directory}/blocked`, { monotonicMs: () => nowMs });
    blocked.update(state);
    blocked.update(state);
    assert.equal(asked, 1, "nothing changed");
    state.version = 2;
    nowMs += 9_999;
    blocked.update(state);
    assert.equal(asked, 1, "200 ms of writing are followed by 10 s of rest");
    nowMs += 1;
    blocked.update(state);
    assert.equal(asked, 2);
    state.version = 3;
    nowMs += 10_000;
    Deno.removeSync(`${directory}/blocked`);
    Deno.mkdirSync(`${directory}/blocked`);
    const refused = blocked.update(state);
    assert.equal(refused.ok, false);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
