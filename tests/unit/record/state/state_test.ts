/**
 * The state through restarts and set clocks.
 * @module
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { formatPrefix } from "../../../../src/net/prefix.ts";
import { banOfEvent, eventOfBan } from "../../../../src/record/state/ban.ts";
import { IN_MEMORY } from "../../../../src/record/state/database_file.ts";
import { State } from "../../../../src/record/state/state.ts";
import { blockEvent, probe, TIME } from "../fixtures.ts";
import { ban, FakeClock, left, targets, withDatabase } from "./lab_state.ts";
import { address, prefix } from "../../../lab/addresses.ts";

Deno.test("F6 F7: State gives the bans in force back after a restart, with the time that is left", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    {
      using state = new State(path, clock);
      state.saveBans([
        ban("10.0.0.1", clock),
        ban("fd77::1", clock, { seconds: undefined, offence: 7 }),
        ban("192.0.2.0/24", clock, { reason: "manual", evidence: [] }),
      ]);
      state.saveBans([ban("10.0.0.2", clock)]);
      state.saveReleases([{
        target: prefix("10.0.0.2"),
        time: clock.now(),
        cause: "unblocked",
        outcomes: [],
      }]);
    }
    clock.pass(600);
    using state = new State(path, clock);
    assert.deepEqual(state.health, { ok: true });
    assert.deepEqual(targets(state), ["10.0.0.1", "192.0.2.0/24", "fd77::1"]);
    assert.deepEqual(state.get(prefix("10.0.0.1")), {
      target: prefix("10.0.0.1"),
      since: TIME,
      secondsLeft: 3000,
      offence: 1,
      reason: "distinct-ports",
      ports: 3,
      port: 23,
      protocol: "tcp",
    });
    assert.equal(left(state, "fd77::1"), Infinity);
    assert.deepEqual(state.takeLateBans(), []);
  });
});

Deno.test("State gives all bans back where they are read in more than one piece", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    for (const count of [5000, 10_001]) {
      {
        using state = new State(path, clock);
        state.saveBans(
          Array.from(
            { length: count },
            (_, i) => ban(i % 2 === 0 ? `10.0.${i >> 8}.${i & 255}` : `fd77::${i.toString(16)}`, clock),
          ),
        );
      }
      using state = new State(path, clock);
      assert.equal(new Set(targets(state)).size, count);
    }
  });
});

Deno.test("State makes its directory and file for root alone", async () => {
  await withDatabase((path) => {
    const inner = path.replace("portsnare.db", "lib/portsnare.db");
    const clock = new FakeClock();
    using state = new State(inner, clock);
    state.saveBans([ban("10.0.0.1", clock)]);
    const mode = (name: string) => ((Deno.statSync(name).mode ?? 0) & 0o777).toString(8);
    assert.deepEqual([mode(inner.replace("/portsnare.db", "")), mode(inner), mode(`${inner}-wal`)], [
      "750",
      "600",
      "600",
    ]);
  });
});

Deno.test("State: no ban lengthens or vanishes when the clock jumps an hour, while it runs or while it does not", async () => {
  for (const jump of [3600, -3600, -TIME, 40 * 365 * 86400]) {
    for (const isRunning of [true, false]) {
      await withDatabase((path) => {
        const clock = new FakeClock();
        let state = new State(path, clock);
        state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.9", clock, { seconds: undefined })]);
        clock.pass(100);
        if (!isRunning) state[Symbol.dispose]();
        clock.wall += jump;
        if (isRunning) state.tick();
        clock.pass(100);
        if (isRunning) {
          assert.equal(left(state, "10.0.0.1"), 3400);
          state.saveBans([ban("10.0.0.2", clock)]);
          state[Symbol.dispose]();
        }
        clock.pass(100);
        state = new State(path, clock);
        assert.equal(left(state, "10.0.0.1"), 3300, `jump ${jump}, running ${isRunning}`);
        if (isRunning) assert.equal(left(state, "10.0.0.2"), 3500);
        assert.equal(left(state, "10.0.0.9"), Infinity);
        state[Symbol.dispose]();
        // Across a reboot with the clock as it stands now.
        clock.reboot(300);
        state = new State(path, clock);
        assert.equal(Math.round(left(state, "10.0.0.1") ?? NaN), 3000, `reboot after jump ${jump}`);
        state[Symbol.dispose]();
      });
    }
  }
});

Deno.test("State: a reboot with a clock that lost its battery does not shorten a ban, nor does setting it afterwards", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    new State(path, clock)[Symbol.dispose]();
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock)]);
      clock.pass(60);
    }
    clock.reboot(300, -clock.wall - 300);
    assert.equal(clock.wall, 0);
    using state = new State(path, clock);
    assert.equal(left(state, "10.0.0.1"), 3540);
    clock.wall = TIME + 400;
    state.tick();
    clock.pass(40);
    assert.equal(left(state, "10.0.0.1"), 3500);
  });
});

Deno.test("State.offences counts the bans of a target, not attempts that failed or only ran a command", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    const target = prefix("10.0.0.1");
    assert.equal(state.offences(target), 0);
    state.saveBans([
      ban("10.0.0.1", clock, { outcomes: [{ ok: false, action: "nftables", error: "EPERM" }] }),
    ]);
    state.saveBans([ban("10.0.0.1", clock, { outcomes: [{ ok: true, action: "kill_run_cmd" }] })]);
    assert.equal(state.offences(target), 0);
    assert.equal(state.size, 0, "neither is in force");
    for (let i = 0; i < 2; i++) {
      state.saveBans([ban("10.0.0.1", clock)]);
      state.saveReleases([{ target, time: clock.now(), cause: "expired", outcomes: [] }]);
      clock.pass(10_000);
    }
    assert.equal(state.offences(target), 2);
    assert.equal(state.offences(target, clock.now() - 10_000), 1);
    assert.equal(state.offences(prefix("10.0.0.11")), 0);
  });
});

Deno.test("State.find tells the story of an address, newest first, with evidence and outcomes", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    const refused = [{ ok: false, action: "kill_hosts_deny", error: "EROFS" }] as const;
    state.saveBans([ban("10.0.0.1", clock, { hostname: "a.example" })]);
    state.saveOutcomes(prefix("10.0.0.1"), [{ ok: true, action: "kill_run_cmd", detail: "/bin/true" }]);
    clock.pass(3600);
    state.saveReleases([{
      target: prefix("10.0.0.1"),
      time: clock.now(),
      cause: "expired",
      outcomes: refused,
    }]);
    clock.pass(60);
    state.saveBans([
      ban("10.0.0.0/24", clock, { reason: "manual", note: "the whole lot", evidence: [], seconds: 60 }),
    ]);
    state.saveBans([ban("10.0.1.0/24", clock, { reason: "manual", evidence: [] })]);
    const [whole, own, ...rest] = state.find(address("10.0.0.1"));
    assert.deepEqual(rest, []);
    assert.deepEqual([whole?.note, whole?.reason, whole?.ended, whole?.until], [
      "the whole lot",
      "manual",
      undefined,
      clock.now() + 60,
    ]);
    assert.deepEqual(own?.ended, { time: TIME + 3600, cause: "expired" });
    assert.equal(own?.hostname, "a.example");
    assert.deepEqual(own?.evidence.map(({ port, scan }) => [port, scan]), [[21, "syn"], [22, "syn"], [
      23,
      "syn",
    ]]);
    assert.deepEqual(own?.outcomes.map(({ action, ok }) => [action, ok]), [["nftables", true], [
      "kill_run_cmd",
      true,
    ]]);
    assert.deepEqual(own?.releaseOutcomes, refused);
    assert.deepEqual(state.find(address("fd77::1")), []);
  });
});

Deno.test("State.saveBans replaces an earlier ban of the same target", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    state.saveBans([ban("10.0.0.1", clock)]);
    clock.pass(10);
    state.saveBans([ban("10.0.0.1", clock, { reason: "manual", evidence: [], seconds: undefined })]);
    assert.equal(left(state, "10.0.0.1"), Infinity);
    assert.deepEqual(state.find(address("10.0.0.1")).map((story) => story.ended?.cause), [
      undefined,
      "replaced",
    ]);
  });
});

Deno.test("F7: State.actedBeforeBoot names bans whose rule was made before the machine was booted, once", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    const routed = { outcomes: [{ ok: true, action: "kill_route", detail: "route add" }] } as const;
    const names = (state: State): readonly string[] =>
      state.actedBeforeBoot("kill_route").map(formatPrefix).sort();
    {
      using state = new State(path, clock);
      state.saveBans([
        ban("10.0.0.1", clock, routed),
        ban("10.0.0.2", clock, routed),
        ban("10.0.0.3", clock),
      ]);
      state.saveBans([ban("10.0.0.4", clock, routed)]);
      state.saveReleases([{
        target: prefix("10.0.0.4"),
        time: clock.now(),
        cause: "unblocked",
        outcomes: [],
      }]);
      assert.deepEqual(names(state), []);
    }
    {
      using state = new State(path, clock);
      assert.deepEqual(names(state), [], "a mere restart");
    }
    clock.reboot(60);
    {
      using state = new State(path, clock);
      assert.deepEqual(names(state), ["10.0.0.1", "10.0.0.2"]);
      state.saveOutcomes(prefix("10.0.0.1"), routed.outcomes);
      assert.deepEqual(names(state), ["10.0.0.2"]);
      state.saveBans([ban("10.0.0.5", clock, routed)]);
    }
    using state = new State(path, clock);
    assert.deepEqual(names(state), ["10.0.0.2"], "what was not done when the process died is still to do");
  });
});

Deno.test("State takes over a file of the first release", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock, { outcomes: [{ ok: true, action: "kill_route" }] })]);
    }
    {
      using database = new DatabaseSync(path);
      database.exec("ALTER TABLE bans DROP COLUMN boot; PRAGMA user_version = 1");
      database.exec(
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      );
    }
    using state = new State(path, clock);
    assert.deepEqual(state.health, { ok: true });
    assert.deepEqual([state.size, state.actedBeforeBoot("kill_route")], [1, []]);
  });
});

Deno.test("State.prune forgets what ended long ago and nothing that is in force", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    using state = new State(path, clock);
    state.saveBans([ban("10.0.0.1", clock), ban("10.0.0.2", clock), ban("10.0.0.3", clock)]);
    state.saveReleases([{ target: prefix("10.0.0.1"), time: clock.now(), cause: "expired", outcomes: [] }]);
    clock.pass(1000);
    state.saveReleases([{ target: prefix("10.0.0.2"), time: clock.now(), cause: "expired", outcomes: [] }]);
    assert.equal(state.prune(500), 1);
    assert.deepEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((text) => state.find(address(text)).length), [
      0,
      1,
      1,
    ]);
  });
});

Deno.test("State keeps listeners across a restart", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    const seen = (port: number, time: number) => ({ protocol: "tcp", address: "", port, seen: time });
    {
      using state = new State(path, clock);
      assert.equal(state.saveListeners([seen(22, TIME), seen(80, TIME - 100)], TIME - 600), true);
      state.saveListeners([seen(22, TIME + 5)], TIME - 50);
    }
    using state = new State(path, clock);
    assert.deepEqual(state.listeners(TIME - 600), [seen(22, TIME + 5)]);
    assert.deepEqual(state.listeners(TIME + 6), []);
  });
});

Deno.test("State.unrecorded gives the bans that a killed process had not yet written to the log", async () => {
  await withDatabase((path) => {
    const clock = new FakeClock();
    const event = blockEvent([{ ok: true, action: "nftables", detail: "x" }], {
      hostname: "a.example",
      seconds: 60,
    });
    {
      using state = new State(path, clock);
      state.saveBans([ban("10.0.0.1", clock)]);
      state.markRecorded();
      // Carries the mark of the one before, and is itself not told.
      state.saveBans([banOfEvent(event, [probe({ port: 21 }), probe()])]);
    }
    using state = new State(path, clock);
    const [story, ...rest] = state.unrecorded();
    assert.deepEqual(rest, []);
    assert.deepEqual(story === undefined ? undefined : eventOfBan(story), event);
    state.markRecorded();
    state.tick();
    assert.deepEqual(state.unrecorded(), []);
  });
});

Deno.test("banOfEvent keeps the probe that was too many last, whatever the order of the others", () => {
  const event = blockEvent([{ ok: true, action: "nftables" }]);
  const others = [22, 23, 21].map((port) => probe({ port, time: TIME - port, flags: 0 }));
  assert.deepEqual(banOfEvent(event, others).evidence.map(({ port, flags }) => [port, flags]), [
    [22, 0],
    [21, 0],
    [23, 2],
  ]);
  const many = Array.from({ length: 100 }, (_, port) => probe({ port: 1000 + port }));
  assert.equal(banOfEvent(event, many).evidence.length, 64);
  assert.equal(banOfEvent(event, many).evidence.at(-1)?.port, 23);
});

Deno.test("State in memory leaves nothing behind", () => {
  const clock = new FakeClock();
  using state = new State(IN_MEMORY, clock);
  state.saveBans([ban("10.0.0.1", clock)]);
  state.tick();
  assert.deepEqual([state.health, state.size], [{ ok: true }, 1]);
  assert.equal(state.find(address("10.0.0.1")).length, 1);
  assert.throws(() => Deno.statSync(IN_MEMORY), Deno.errors.NotFound);
});
