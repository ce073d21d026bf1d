/**
 * No detector at all: what the network does by itself.
 * @module
 */
import type { Contestant, Running } from "./contestant.ts";

/** The reference of throughput and rate. */
export const none: Contestant = {
  name: "no detector",
  version: () => Promise.resolve("–"),
  start: () => Promise.resolve(NOTHING),
  diskBytes: () => Promise.resolve(undefined),
};

const NOTHING: Running = {
  startMs: 0,
  cpuSeconds: () => 0,
  kernelSeconds: () => 0,
  wakes: () => 0,
  rssKiB: () => 0,
  banned: () => Promise.resolve(0),
  counted: () => Promise.resolve(undefined),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
