/**
 * A crowd of scanners, and what a detector makes of it.
 * @module
 */
import type { Running } from "./contestants/contestant.ts";
import { median } from "./measure/statistics.ts";
import { Scene, TRAP_PORTS } from "./scene.ts";
import { send } from "./traffic/job.ts";

/** So many scanners, so fast. */
export interface Crowd {
  readonly sources: number;
  readonly seconds: number;
  readonly by: "port" | "source";
}

/** What came of one crowd and one contestant. */
export interface Round {
  readonly sent: number;
  /** Probes that the detector saw, where it counts them. */
  readonly seen: number | undefined;
  readonly banned: number;
  /** How long the sending took. */
  readonly sendSeconds: number;
  /** From the first probe to the last ban. */
  readonly lastSeconds: number;
  /** From the last probe to the last ban. */
  readonly lagSeconds: number;
  readonly cpuSeconds: number;
  /** The kernel's part of it. */
  readonly kernelSeconds: number;
  /** What of it was used before the last port was asked for, when there was nothing to ban yet. */
  readonly probingSeconds: number;
  /** What it would have used in this time anyway. */
  readonly idleSeconds: number;
  readonly wakes: number;
  readonly rssKiB: number;
}

export type Rounds = readonly Round[];

const FIRST_NUMBER = 1000;
/** What is used while nothing happens is measured for so long. */
const IDLE_SECONDS = 2;
/** How often the processor time is read while probes are sent. */
const SAMPLE_MS = 50;
const FIRST_POLL_MS = 10;
const MAX_POLL_MS = 250;
/** Nothing more is expected when the number of bans has not changed for so long. */
export const QUIET_MS = 3000;

/** Let a crowd scan, and measure what becomes of it. */
export async function scanned(scene: Scene, running: Running, crowd: Crowd): Promise<Round> {
  const idleBefore = running.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const [before, kernelBefore] = [running.cpuSeconds(), running.kernelSeconds()];
  const idleShare = (before - idleBefore) / IDLE_SECONDS;
  const samples: { readonly atMs: number; readonly cpuSeconds: number }[] = [];
  const sampling = setInterval(
    () => samples.push({ atMs: Date.now(), cpuSeconds: running.cpuSeconds() - before }),
    SAMPLE_MS,
  );
  const wakesBefore = running.wakes();
  const { packets, begunMs, endedMs } = await send(scene.scanner, {
    kind: "sweep",
    source: Scene.address(FIRST_NUMBER),
    dest: scene.server.ipv4,
    ports: TRAP_PORTS,
    ...crowd,
  }).finally(() => clearInterval(sampling));
  const lastPortMs = endedMs - (endedMs - begunMs) / TRAP_PORTS.length;
  const { banned, changedMs } = await settled(running, { sources: crowd.sources, endedMs });
  const cpuSeconds = running.cpuSeconds() - before;
  const wakes = running.wakes() - wakesBefore;
  const kernelSeconds = running.kernelSeconds() - kernelBefore;
  const lastMs = banned === 0 ? changedMs : await running.lastBannedMs?.() ?? changedMs;
  return {
    sent: packets,
    seen: (await running.counted())?.reported,
    banned,
    sendSeconds: (endedMs - begunMs) / 1000,
    lastSeconds: (lastMs - begunMs) / 1000,
    lagSeconds: Math.max(0, lastMs - endedMs) / 1000,
    cpuSeconds,
    kernelSeconds,
    probingSeconds: samples.findLast(({ atMs }) => atMs <= lastPortMs)?.cpuSeconds ?? 0,
    idleSeconds: idleShare * (endedMs - begunMs) / 1000,
    wakes,
    rssKiB: running.rssKiB(),
  };
}

/**
 * Wait until everybody is kept out, or nothing changes any more.
 *
 * Whoever asks costs processor time, most of all where a list of rules is the answer; so the pauses grow.
 */
async function settled(
  running: Running,
  { sources, endedMs }: { readonly sources: number; readonly endedMs: number },
): Promise<{ readonly banned: number; readonly changedMs: number }> {
  let banned = await running.banned();
  let changedMs = banned === sources ? endedMs : Date.now();
  while (banned < sources && Date.now() < changedMs + QUIET_MS) {
    const pauseMs = Math.min(MAX_POLL_MS, Math.max(FIRST_POLL_MS, (Date.now() - endedMs) / 4));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const now = await running.banned();
    if (now !== banned) changedMs = Date.now();
    banned = now;
  }
  return { banned, changedMs };
}

/** How many were kept out; medians, as all that follow. */
export function bannedOf(results: Rounds): number | undefined {
  return median(results.map(({ banned }) => banned));
}

/** How long the sending took. */
export function sendSeconds(results: Rounds): number | undefined {
  return median(results.map(({ sendSeconds }) => sendSeconds));
}

/** Microseconds of processor time for each source, or of a part of it. */
export function cpuPerSource(
  results: Rounds,
  part: (round: Round) => number = ({ cpuSeconds }) => cpuSeconds,
): number | undefined {
  return median(results.map((round) => part(round) / round.banned * 1e6));
}

/** From the first probe to the last ban. */
export function lastSeconds(results: Rounds): number | undefined {
  return median(results.map(({ lastSeconds }) => lastSeconds));
}

/** Milliseconds until the last ban, for each source kept out. */
export function timePerSource(results: Rounds): number | undefined {
  return median(results.map(({ lastSeconds, banned }) => lastSeconds / banned * 1000));
}
