/**
 * A state database in a directory of its own, with clocks that a test sets.
 * @module
 */
import type { Probe } from "../../../../src/decode/probe.ts";
import { formatPrefix } from "../../../../src/net/prefix.ts";
import type { NewBan } from "../../../../src/record/state/ban.ts";
import type { State } from "../../../../src/record/state/state.ts";
import type { BootClock } from "../../../../src/system/clock.ts";
import { probe, TIME } from "../fixtures.ts";
import { prefix } from "../../../lab/addresses.ts";

/** A machine whose clocks do what they are told. */
export class FakeClock implements BootClock {
  wall = TIME;
  boot = 1000;
  bootId = "first boot";

  now(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.boot * 1000;
  }

  bootSeconds(): number {
    return this.boot;
  }

  /** Time goes by. */
  pass(seconds: number): void {
    this.wall += seconds;
    this.boot += seconds;
  }

  /** The machine is off for a while, and its wall clock comes back wrong by `error` seconds. */
  reboot(seconds: number, error = 0): void {
    this.wall += seconds + error;
    this.boot = 5;
    this.bootId = `${this.bootId}, and another`;
  }
}

/** A ban of an address by the firewall, made at the clock's time. */
export function ban(
  target: string,
  clock: BootClock,
  changes: Partial<Omit<NewBan, "target">> = {},
): NewBan {
  return {
    target: prefix(target),
    since: clock.now(),
    seconds: 3600,
    offence: 1,
    reason: "distinct-ports",
    ports: 3,
    probes: 4,
    evidence: evidenceOf(target, [21, 22, 23]),
    outcomes: [{ ok: true, action: "nftables" }],
    ...changes,
  };
}

function evidenceOf(target: string, ports: readonly number[]): readonly Probe[] {
  return target.includes("/") ? [] : ports.map((port) => probe({ source: target, port }));
}

/** Runs a test with a path for a database, and tidies up. */
export async function withDatabase(body: (path: string) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(`${directory}/portsnare.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The targets of the bans in force, as text. */
export function targets(state: State): string[] {
  return [...state.active()].map((active) => formatPrefix(active.target)).sort();
}

/** The seconds that the ban of a target has left; `undefined`: there is none. */
export function left(state: State, target: string): number | undefined {
  return state.get(prefix(target))?.secondsLeft;
}
