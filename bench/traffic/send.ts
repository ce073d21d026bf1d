/**
 * Sends the traffic of one case and prints what it sent: `deno run -A send.ts JOBS`, with the list of jobs as JSON. A
 * process of its own, because it keeps its beat by waiting busily.
 * @module
 */
import { libc } from "../../tests/lab/libc.ts";
import type { Job, Sent } from "./job.ts";
import { SynPacket } from "./syn_packet.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const SOURCE_PORT_FIRST = 10_000;
const SOURCE_PORTS = 50_000;
/** Between two jobs: longer than any detector needs to deal with one scanner. */
const PAUSE_MS = 150;
/** How far a sweep may be behind its pace: shorter than any queue of the network is long. */
const SLACK_MS = 1;
/** Between two looks at the clock in a flood. */
const FLOOD_BURST = 64;

/** A raw socket for one packet after the other. */
class Sender implements Disposable {
  readonly packet: SynPacket;
  readonly #fd: number;
  readonly #to: Uint8Array<ArrayBuffer>;
  /** How many packets the kernel took. */
  sent = 0;

  constructor(source: string, dest: string) {
    this.packet = new SynPacket(source, dest);
    const { bytes, family } = this.packet;
    this.#fd = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
    if (this.#fd < 0) throw new Error("Cannot open a raw socket; is this root?");
    this.#to = new Uint8Array(family === 4 ? 16 : 28);
    new DataView(this.#to.buffer).setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
    this.#to.set(family === 4 ? bytes.subarray(16, 20) : bytes.subarray(24, 40), family === 4 ? 4 : 8);
  }

  /** Send the packet to a port, from a port that tells it from its neighbours. */
  send(sourceBits: number, destPort: number): void {
    const { packet } = this;
    packet.aim({ sourceBits, sourcePort: SOURCE_PORT_FIRST + this.sent % SOURCE_PORTS, destPort });
    const { bytes } = packet;
    if (libc.sendto(this.#fd, bytes, BigInt(bytes.length), 0, this.#to, this.#to.length) > 0n) this.sent++;
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

/** Packets to an open port on a fixed beat; after some of them the trapped ports are asked for once, a beat apart. */
function beat(sender: Sender, job: Extract<Job, { kind: "beat" }>): void {
  const source = sender.packet.sourceBits();
  const ports: number[] = [];
  for (let i = 0; i < job.beats; i++) {
    ports.push(job.openPort);
    const trap = job.trapPorts[i - job.trappedAfter];
    if (trap !== undefined) ports.push(trap);
  }
  let next = performance.now();
  for (const port of ports) {
    while (performance.now() < next);
    sender.send(source, port);
    // Whoever was held up does not catch up in a burst: that would be no beat.
    next = Math.max(next + job.beatMs, performance.now());
  }
}

/** Each source asks for each port once. */
function sweep(sender: Sender, job: Extract<Job, { kind: "sweep" }>): void {
  const first = sender.packet.sourceBits();
  const total = job.sources * job.ports.length;
  const gapMs = job.seconds * 1000 / total;
  let next = performance.now();
  for (let i = 0; i < total; i++) {
    while (performance.now() < next);
    // No burst to catch up here either: the network would lose a part of it, and nobody could see those.
    next = Math.max(next + gapMs, performance.now() - SLACK_MS);
    const [source, port] = job.by === "port"
      ? [i % job.sources, Math.floor(i / job.sources)]
      : [Math.floor(i / job.ports.length), i % job.ports.length];
    sender.send((first + source) >>> 0, job.ports[port] ?? 0);
  }
}

/** As fast as it goes, each packet from another source of the network of `source`. */
function flood(sender: Sender, job: Extract<Job, { kind: "flood" }>): void {
  const first = sender.packet.sourceBits();
  const end = performance.now() + job.seconds * 1000;
  let count = 0;
  while (performance.now() < end) {
    for (let i = 0; i < FLOOD_BURST; i++) {
      // An odd factor visits every source of the network, in no order that a cache would like.
      const offset = Math.imul(++count, 0x9e3779b1) >>> (32 - job.sourceBits);
      sender.send((first + offset) >>> 0, job.ports[count % job.ports.length] ?? 0);
    }
  }
}

function run(job: Job): Sent {
  using sender = new Sender(job.source, job.dest);
  const begunMs = Date.now();
  switch (job.kind) {
    case "beat":
      beat(sender, job);
      break;
    case "sweep":
      sweep(sender, job);
      break;
    case "flood":
      flood(sender, job);
      break;
  }
  return { packets: sender.sent, begunMs, endedMs: Date.now() };
}

// Written by job.ts's own `sendEach`, which is typed.
const jobs = JSON.parse(Deno.args[0] ?? "") as readonly Job[];
const sent: Sent[] = [];
for (const job of jobs) {
  if (sent.length > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  sent.push(run(job));
}
console.log(JSON.stringify(sent));
