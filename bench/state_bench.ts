/**
 * What keeping bans costs: `deno bench -A bench/state_bench.ts`. The restore of 100,000 bans is the whole of a start.
 * @module
 */
import { ipv4Address } from "../src/net/address.ts";
import { hostPrefix } from "../src/net/prefix.ts";
import { alertLines } from "../src/record/alert.ts";
import { formatHistoryLine } from "../src/record/history.ts";
import { banOfEvent, type NewBan } from "../src/record/state/ban.ts";
import { State } from "../src/record/state/state.ts";
import type { BlockEvent } from "../src/record/event.ts";
import { systemClock } from "../src/system/clock.ts";

const MANY = 100_000;
const directory = Deno.makeTempDirSync();
const path = `${directory}/portsnare.db`;
globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));

function blockEvent(number: number): BlockEvent {
  const source = ipv4Address(0x0a000000 + number);
  const probe = {
    time: systemClock.now(),
    source,
    dest: source,
    protocol: "tcp" as const,
    port: 23,
    sourcePort: 40000,
    scan: "syn" as const,
    flags: 2,
    hasOptions: false,
  };
  return {
    type: "block",
    time: probe.time,
    decision: { verdict: "block", reason: "distinct-ports", probe, ports: 3, probes: 3 },
    seconds: 86400,
    offence: 1,
    outcomes: [{ ok: true, action: "nftables" }],
  };
}

function ban(number: number): NewBan {
  const event = blockEvent(number);
  const { probe } = event.decision;
  return banOfEvent(event, [21, 22].map((port) => ({ ...probe, port })));
}

let state = new State(path, systemClock);
for (let first = 0; first < MANY; first += 2500) {
  state.saveBans(Array.from({ length: 2500 }, (_, i) => ban(first + i)));
}

let next = MANY;
Deno.bench("save one more ban beside 100,000", { group: "save", baseline: true }, () => {
  state.saveBans([ban(next++)]);
});

Deno.bench("save 1,000 more bans in one batch", { group: "save" }, () => {
  state.saveBans(Array.from({ length: 1000 }, () => ban(next++)));
});

Deno.bench("count the offences of an address", { group: "ask" }, () => {
  state.offences(hostPrefix(ipv4Address(0x0a000005)));
});

Deno.bench("list 100,000 bans", { group: "ask" }, () => {
  let total = 0;
  for (const active of state.active()) total += active.secondsLeft;
  if (total === 0) throw new Error("Nothing was listed");
});

const event = blockEvent(5);
Deno.bench("log lines of a ban", { group: "write" }, () => {
  alertLines(event);
});

Deno.bench("history line of a ban", { group: "write" }, () => {
  formatHistoryLine({ time: event.time, address: "10.0.0.5", port: 23, protocol: "tcp" });
});

Deno.bench("restore 100,000 bans and more", { group: "restore", n: 5, warmup: 1 }, (bench) => {
  state[Symbol.dispose]();
  bench.start();
  state = new State(path, systemClock);
  bench.end();
  if (state.size < MANY) throw new Error(`Only ${state.size} bans came back`);
});
