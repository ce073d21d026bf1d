/**
 * Takes packets as the daemon does with its raw engine, from the ring to the quarantine, and prints what each stage took
 * for each new source: `deno run -A stages_process.ts`, until it is ended.
 * @module
 */
import { RawEngine } from "../../src/capture/raw_engine.ts";
import { defaultConfig } from "../../src/config/schema.ts";
import { trapOf } from "../../src/config/trap.ts";
import { Detector, type DetectorFacts } from "../../src/detect/detector.ts";
import { HostFacts } from "../../src/host/host_facts.ts";
import { ServedCache } from "../../src/host/served_cache.ts";
import { Pipeline } from "../../src/pipeline.ts";
import { rehearse } from "../../src/rehearsal.ts";
import { NftablesBackend } from "../../src/respond/nftables/backend.ts";
import { rulesetPlan } from "../../src/respond/nftables/plan.ts";
import { PortSet } from "../../src/net/ports.ts";
import { hostPrefix } from "../../src/net/prefix.ts";
import { systemClock } from "../../src/system/clock.ts";
import { run as exec } from "../../src/system/exec.ts";
import { libc } from "../../tests/lab/libc.ts";
import type { Stages } from "./stages.ts";

const { monotonicMs } = systemClock;
const config = defaultConfig();
const blocking = { ...config, tcp: { ...config.tcp, response: "block" as const } };
const host = new HostFacts(blocking, systemClock);
const configured = trapOf(blocking);
const open = PortSet.of(...host.sockets.listeners().map(({ port }) => port));
// As the daemon does: the filter keeps packets to real services away.
const trap = { ...configured, tcp: configured.tcp.without(open) };
const ephemeral = host.ephemeralPorts();
const plan = rulesetPlan(blocking, { engine: "raw", conntrack: host.conntrack.inUse(), ephemeral });
const table = new NftablesBackend({ plan, exec, monotonicMs });
const served = new ServedCache({ ...host, monotonicMs });

/** What is to be added to the steady clock for the one that packets are stamped by; the runtime's own idea of it is off. */
function realTimeOriginMs(): number {
  const CLOCK_REALTIME = 0;
  const time = new BigInt64Array(2);
  const bytes = new Uint8Array(time.buffer);
  libc.clock_gettime(CLOCK_REALTIME, bytes);
  const before = monotonicMs();
  libc.clock_gettime(CLOCK_REALTIME, bytes);
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1000 + Number(nanoseconds) / 1e6 - (before + monotonicMs()) / 2;
}

/** What the packets since the last flush took. */
let wake: number | undefined;
let judge = 0;
let ask = 0;

const facts: DetectorFacts = {
  isOwn: (address) => host.routes.isOwn(address),
  isForUs: (dest) => host.routes.isOwn(dest),
  isClientPort: () => false,
  inGrace: () => false,
  isServed: (probe) => {
    const begun = monotonicMs();
    const is = served.isServed(probe);
    ask += monotonicMs() - begun;
    return is;
  },
  isIgnored: () => false,
  protectedReason: (address) => host.protected.reasonFor(address),
  isBlocked: () => false,
};

const pipeline = new Pipeline({
  detector: new Detector({ config: blocking, trap, facts }),
  quarantine: (suspects) => {
    const begun = monotonicMs();
    table.quarantine(suspects.map(({ probe, isNew }) => ({ address: probe.source, isNew })));
    const hold = monotonicMs() - begun;
    if (wake === undefined || suspects[0]?.isNew !== true) return;
    const stages: Stages = { wake, judge: judge - ask, ask, hold };
    // Not now: what is printed costs more than what is measured.
    setTimeout(() => console.log(JSON.stringify(stages)));
  },
  confirm: (decision) => decision,
  bans: { make: () => Promise.resolve() },
  recorder: { record: () => ({}) },
});

const originMs = realTimeOriginMs();
await table.setup();
rehearse({
  config: blocking,
  trap,
  facts,
  confirm: (decision) => decision,
  act: (source) => void table.release([hostPrefix(source)]),
});
ask = 0;
const engine = new RawEngine({
  sink: {
    frame: (frame) => {
      const begun = monotonicMs();
      wake ??= originMs + begun - frame.time * 1000;
      pipeline.frame(frame);
      judge += monotonicMs() - begun;
    },
    contact: () => {},
    flush: () => {
      pipeline.flush();
      wake = undefined;
      judge = ask = 0;
    },
  },
  trap,
  ephemeral,
});
await engine.start();
console.log("armed");
