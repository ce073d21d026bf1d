import assert from "node:assert/strict";
import { Bans } from "../../src/bans.ts";
import { type Config, defaultConfig } from "../../src/config/schema.ts";
import type { Decision } from "../../src/detect/decision.ts";
import { formatAddress } from "../../src/net/address.ts";
import { formatPrefix, hostPrefix, parsePrefix, type Prefix } from "../../src/net/prefix.ts";
import type { ScanEvent } from "../../src/record/event.ts";
import { State } from "../../src/record/state/state.ts";
import type { Outcome } from "../../src/respond/backend.ts";
import type { BlockRequest } from "../../src/respond/responder.ts";
import { ban } from "./record/state/lab_state.ts";
import { address } from "../lab/addresses.ts";

class Clock {
  seconds = 1_000_000;
  readonly bootId = "boot";
  now(): number {
    return this.seconds;
  }
  bootSeconds(): number {
    return this.seconds;
  }
  monotonicMs(): number {
    return this.seconds * 1000;
  }
}

class Scene {
  readonly clock = new Clock();
  readonly state = new State(":memory:", this.clock);
  readonly events: ScanEvent[] = [];
  readonly requests: BlockRequest[] = [];
  readonly released: string[] = [];
  /** How many were released at once, each time, and how many lines of hosts.deny were to go in one edit. */
  readonly batches: number[] = [];
  readonly cleared: number[] = [];
  /** What `kill_route` had done for them. */
  readonly routed: string[] = [];
  readonly forgotten: string[] = [];
  readonly bans: Bans;
  /** What the firewall answers. */
  answer: Outcome = { ok: true, action: "nftables" };
  /** What the actions wait for. */
  gate: Promise<void> = Promise.resolve();

  constructor(change: (config: Config) => Config = (config) => config) {
    const config = defaultConfig();
    this.bans = new Bans({
      config: change({ ...config, tcp: { ...config.tcp, response: "block" } }),
      responder: {
        block: async (requests) => {
          this.requests.push(...requests);
          await this.gate;
          return requests.map(() => [this.answer]);
        },
        release: async (targets, routed = () => undefined) => {
          this.released.push(...targets.map(formatPrefix));
          this.batches.push(targets.length);
          this.routed.push(...targets.map(routed).filter((command) => command !== undefined));
          await this.gate;
          return targets.map(() => [this.answer]);
        },
        clearHostsDeny: (targets) => {
          this.cleared.push(targets.length);
          return Promise.resolve();
        },
        restore: (bans) => {
          this.requests.push(...bans.map((ban) => ({ ...ban, response: "block" as const })));
          return Promise.resolve([]);
        },
      },
      state: this.state,
      recorder: {
        record: (events) => {
          this.events.push(...events);
          return { isWritten: true };
        },
      },
      clock: this.clock,
      evidence: () => [],
      forget: (source) => this.forgotten.push(formatAddress(source)),
    });
  }

  blocks(): readonly ScanEvent[] {
    return this.events.filter((event) => event.type === "block");
  }
}

Deno.test("Bans.make books, enforces, saves and tells a ban", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.equal(scene.bans.has(address("192.0.2.1")), true);
  assert.deepEqual(scene.requests.map((request) => [formatPrefix(request.target), request.seconds]), [[
    "192.0.2.1",
    86400,
  ]]);
  assert.equal([...scene.state.active()].length, 1);
  assert.equal(scene.blocks().length, 1);
});

Deno.test("Bans.make bans a source once, however often it is decided", async () => {
  const scene = new Scene();
  await Promise.all([
    scene.bans.make([scanner("192.0.2.1"), scanner("192.0.2.1")]),
    scene.bans.make([scanner("192.0.2.1")]),
  ]);
  assert.equal(scene.requests.length, 1);
});

Deno.test("F1: Bans.make does not keep a ban that failed, and tells it as failed", async () => {
  const scene = new Scene();
  scene.answer = { ok: false, action: "nftables", error: "ENOSPC" };
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.equal(scene.bans.has(address("192.0.2.1")), false);
  assert.deepEqual([...scene.state.active()], []);
  assert.deepEqual(scene.bans.stats(), { made: 0, failed: 1, refused: 0 });
  scene.answer = { ok: true, action: "nftables" };
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.equal(scene.bans.has(address("192.0.2.1")), true, "the next probe must be able to bring it about");
});

Deno.test("Bans.make refuses what is beyond block.max_active, and says so once", async () => {
  const scene = new Scene((config) => ({ ...config, block: { ...config.block, max_active: 2 } }));
  await scene.bans.make(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map(scanner));
  assert.equal(scene.bans.active, 2);
  assert.equal(scene.bans.stats().refused, 2);
  const notices = scene.events.filter((event) => event.type === "notice");
  assert.equal(notices.length, 1);
  assert.match(JSON.stringify(notices), /block\.max_active = 2/);
});

Deno.test("Bans.make makes no more than block.rate bans a second", async () => {
  const scene = new Scene((config) => ({ ...config, block: { ...config.block, rate: 10 } }));
  const crowd = Array.from({ length: 25 }, (_, i) => scanner(`192.0.2.${i + 1}`));
  await scene.bans.make(crowd);
  assert.equal(scene.bans.active, 10);
  scene.clock.seconds += 1;
  await scene.bans.make(crowd);
  assert.equal(scene.bans.active, 20);
});

Deno.test("Bans.make lengthens the ban of a repeat offender by block.factor", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  await scene.bans.release([target("192.0.2.1")], "unblocked");
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.deepEqual(scene.requests.map((request) => request.seconds), [86400, 172800]);
});

Deno.test("Bans.expire lifts a ban at its end, forgets the source and tells it (F6, F8)", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.clock.seconds += 86399;
  await scene.bans.expire();
  assert.deepEqual(scene.released, []);
  scene.clock.seconds += 1;
  await scene.bans.expire();
  assert.deepEqual(scene.released, ["192.0.2.1"]);
  assert.deepEqual(scene.forgotten, ["192.0.2.1"]);
  assert.deepEqual([...scene.state.active()], []);
  assert.equal(scene.bans.has(address("192.0.2.1")), false);
});

Deno.test("Bans.release keeps what could not be taken back, and tries again", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.answer = { ok: false, action: "kill_hosts_deny", error: "EROFS" };
  await scene.bans.release([target("192.0.2.1")], "unblocked");
  assert.equal([...scene.state.active()].length, 1, "a ban that may still be in force must not be forgotten");
  scene.answer = { ok: true, action: "nftables" };
  scene.clock.seconds += 60;
  await scene.bans.expire();
  assert.deepEqual([...scene.state.active()], []);
});

Deno.test("Bans.release tries again what an opposite of kill_route could not do, and not what is final", async () => {
  for (const isFinal of [false, true]) {
    const scene = new Scene();
    await scene.bans.make([scanner("192.0.2.1")]);
    scene.answer = { ok: false, action: "kill_route", error: "exit status 4: xtables lock", isFinal };
    await scene.bans.release([target("192.0.2.1")], "unblocked");
    assert.equal([...scene.state.active()].length, isFinal ? 0 : 1);
    scene.answer = { ok: true, action: "kill_route" };
    scene.clock.seconds += 60;
    await scene.bans.expire();
    assert.deepEqual([...scene.state.active()], []);
    assert.equal(scene.released.length, isFinal ? 1 : 2);
  }
});

Deno.test("Bans.release says what kill_route had done", async () => {
  const scene = new Scene();
  scene.answer = { ok: true, action: "kill_route", detail: "route add" };
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.answer = { ok: true, action: "nftables" };
  await scene.bans.make([scanner("192.0.2.2")]);
  await scene.bans.release(scene.bans.targets(), "unblocked");
  assert.deepEqual([scene.released.length, scene.routed], [2, ["route add"]]);
});

Deno.test("Bans.release says what kill_route did last, where it was run again after a boot", async () => {
  const scene = new Scene();
  for (const [name, ok] of [["192.0.2.1", true], ["192.0.2.2", false]] as const) {
    scene.answer = { ok: true, action: "kill_route", detail: "before the boot" };
    await scene.bans.make([scanner(name)]);
    const again = { action: "kill_route", detail: "after it" };
    scene.state.saveOutcomes(target(name), [
      ok ? { ...again, ok } : { ...again, ok, error: "exit status 2" },
    ]);
  }
  await scene.bans.release(scene.bans.targets(), "unblocked");
  assert.deepEqual([scene.released.length, scene.routed], [2, ["after it"]]);
});

Deno.test("Bans.release lifts many bans a thousand at a time, and tells a hundred by name", async () => {
  const scene = new Scene();
  const bans = Array.from({ length: 2500 }, (_, i) => ban(`10.0.${i >> 8}.${i & 255}`, scene.clock));
  scene.state.saveBans(bans);
  await scene.bans.restore();
  let turns = 0;
  const others = setInterval(() => turns++);
  assert.equal((await scene.bans.release(scene.bans.targets(), "unblocked")).length, 2500);
  clearInterval(others);
  assert.deepEqual([scene.batches, scene.cleared], [[1000, 1000, 500], [2500]]);
  assert.ok(turns >= 2, "others have their turn in between");
  const told = scene.events.filter((event) => event.type === "release" || event.type === "releases");
  assert.equal(told.length, 101);
  assert.deepEqual(told.at(-1), {
    type: "releases",
    time: scene.clock.now(),
    cause: "unblocked",
    released: 2400,
    failed: 0,
  });
  assert.deepEqual([scene.state.size, scene.bans.active], [0, 0]);
});

Deno.test("Bans.restore enforces what the state holds, with the time that is left", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.clock.seconds += 86000;
  scene.requests.length = 0;
  await scene.bans.restore();
  assert.deepEqual(scene.requests.map((request) => request.seconds), [400]);
});

Deno.test("Bans.make with response command answers a source once and bans nobody", async () => {
  const scene = new Scene((config) => ({ ...config, tcp: { ...config.tcp, response: "command" } }));
  scene.answer = { ok: true, action: "kill_run_cmd" };
  await scene.bans.make([scanner("192.0.2.1")]);
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.deepEqual(scene.requests.map((request) => request.response), ["command"]);
  assert.equal(scene.bans.active, 0);
});

Deno.test("Bans.impose replaces an earlier ban and needs no probe", async () => {
  const scene = new Scene();
  await scene.bans.impose({ target: target("2001:db8::/64"), seconds: 60, note: "because" });
  assert.equal(scene.bans.has(address("2001:db8::7")), true);
  assert.equal(scene.state.find(address("2001:db8::7"))[0]?.note, "because");
});

Deno.test("Bans.make makes no ban that a release under way would then lift", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.clock.seconds += 86400;
  const gate = Promise.withResolvers<void>();
  scene.gate = gate.promise;
  const expiring = scene.bans.expire();
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.equal(scene.requests.length, 1, "it is booked until it is lifted");
  gate.resolve();
  await expiring;
  assert.equal(scene.bans.has(address("192.0.2.1")), false);
  await scene.bans.make([scanner("192.0.2.1")]);
  assert.equal(scene.requests.length, 2);
});

Deno.test("Bans.impose waits for a release of the same target, and is in force afterwards", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  const gate = Promise.withResolvers<void>();
  scene.gate = gate.promise;
  const releasing = scene.bans.release([target("192.0.2.1")], "unblocked");
  const imposing = scene.bans.impose({ target: target("192.0.2.1"), seconds: 60 });
  gate.resolve();
  await Promise.all([releasing, imposing]);
  assert.equal(scene.bans.holds(target("192.0.2.1")), true);
  assert.deepEqual([...scene.state.active()].map((ban) => ban.secondsLeft), [60]);
});

Deno.test("Bans.release lifts a ban whose actions are still going on, once they have ended", async () => {
  const scene = new Scene();
  const gate = Promise.withResolvers<void>();
  scene.gate = gate.promise;
  const making = scene.bans.make([scanner("192.0.2.1")]);
  assert.deepEqual(scene.bans.targets().map(formatPrefix), ["192.0.2.1"]);
  const releasing = scene.bans.release(scene.bans.targets(), "unblocked");
  gate.resolve();
  await Promise.all([making, releasing]);
  assert.deepEqual(scene.released, ["192.0.2.1"]);
  assert.deepEqual([...scene.state.active()], []);
});

Deno.test("Bans.restore puts back a ban that is still being made, and none that is being lifted", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  const gate = Promise.withResolvers<void>();
  scene.gate = gate.promise;
  const under = [
    scene.bans.make([scanner("192.0.2.2")]),
    scene.bans.release([target("192.0.2.1")], "unblocked"),
  ];
  scene.requests.length = 0;
  await scene.bans.restore();
  assert.deepEqual(scene.requests.map((request) => formatPrefix(request.target)), ["192.0.2.2"]);
  gate.resolve();
  await Promise.all(under);
});

Deno.test("Bans.restore does not put back a ban whose time is over but that could not be taken back", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.answer = { ok: false, action: "nftables", error: "EBUSY" };
  scene.clock.seconds += 86400;
  await scene.bans.expire();
  scene.requests.length = 0;
  await scene.bans.restore();
  assert.deepEqual(scene.requests, []);
});

Deno.test("Bans.impose that fails leaves the ban that was there", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  scene.answer = { ok: false, action: "nftables", error: "ENOSPC" };
  await scene.bans.impose({ target: target("192.0.2.1"), seconds: 60 });
  assert.equal(scene.bans.has(address("192.0.2.1")), true);
  assert.deepEqual([...scene.state.active()].map((ban) => ban.secondsLeft), [86400]);
});

Deno.test("Bans.impose runs kill_route once for a target, however often its ban is replaced", async () => {
  const scene = new Scene();
  scene.answer = { ok: true, action: "kill_route", detail: "route add" };
  for (let i = 0; i < 3; i++) await scene.bans.impose({ target: target("192.0.2.1"), seconds: 60 + i });
  assert.deepEqual(scene.requests.map((request) => request.isRouted), [false, true, true]);
});

Deno.test("Bans.about runs for a ban in force only, and while nobody lifts it", async () => {
  const scene = new Scene();
  await scene.bans.make([scanner("192.0.2.1")]);
  const said: string[] = [];
  const gate = Promise.withResolvers<void>();
  const about = scene.bans.about(target("192.0.2.1"), async (ban) => {
    await gate.promise;
    said.push(formatPrefix(ban.target));
  });
  const releasing = scene.bans.release([target("192.0.2.1")], "unblocked");
  gate.resolve();
  await Promise.all([about, releasing]);
  await scene.bans.about(target("192.0.2.1"), () => assert.fail("it was lifted"));
  assert.deepEqual([said, scene.released], [["192.0.2.1"], ["192.0.2.1"]]);
});

function scanner(text: string): Decision {
  return {
    verdict: "block",
    reason: "distinct-ports",
    ports: 3,
    probes: 3,
    probe: {
      time: 1_000_000,
      source: address(text),
      dest: address("198.51.100.1"),
      protocol: "tcp",
      port: 23,
      sourcePort: 40000,
      scan: "syn",
      flags: 2,
      hasOptions: false,
    },
  };
}

function target(text: string): Prefix {
  return parsePrefix(text) ?? hostPrefix(address(text));
}
