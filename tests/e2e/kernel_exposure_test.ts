/**
 * How much a fast scanner learns: exactly those open ports that it asked for before its first trapped probe.
 *
 * What it asked for, and in which order, is read from a capture on its own side.
 */
import assert from "node:assert/strict";
import { decodePacket } from "../../src/decode/decode.ts";
import { TCP_FLAG } from "../../src/decode/packet.ts";
import { PacketSocket } from "../../src/ffi/packet_socket.ts";
import { BPF, type BpfProgram } from "../../src/net/bpf.ts";
import { openPorts, serve } from "../lab/clients.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { ArmedTrap, blocking } from "../lab/trap.ts";

const EVERYTHING: BpfProgram = [{ code: BPF.ret, jt: 0, jf: 0, k: 0xffff }];
const OPEN = [22, 80, 443, 587, 993];
/** Neither trapped nor open: PortSentry's exclusions. */
const EXCLUDED = [113, 139];
const RUNS = 20;
/** So many scanners at once. */
const AT_ONCE = 10;
/** Without a least rate nmap takes a minute and a half to understand that nobody answers any more. */
const NMAP = ["-T4", "-p1-1024", "--max-retries", "0", "--min-rate", "1000"];

/** The ports of the SYNs that a host has sent, in order. */
function portsAsked(socket: PacketSocket): number[] {
  const ports: number[] = [];
  socket.drain(1_000_000, ({ bytes, wireLength, outgoing }) => {
    const packet = decodePacket(bytes, wireLength);
    if (outgoing && packet.kind === "tcp" && packet.flags === TCP_FLAG.syn) ports.push(packet.destPort);
  });
  return ports;
}

interface Exposure {
  /** The open ports that nmap reports. */
  readonly reported: readonly number[];
  /** The open ports that it asked for before its first trapped one. */
  readonly deserved: readonly number[];
}

async function scan(scanner: Host, target: Host, args: readonly string[]): Promise<Exposure> {
  const address = args.includes("-6") ? target.ipv6 : target.ipv4;
  using socket = scanner.inside(() => new PacketSocket(EVERYTHING));
  const reported = await openPorts(scanner, [...args, ...NMAP, address]);
  const asked = portsAsked(socket);
  const trapped = asked.findIndex((port) => port < 1024 && ![...OPEN, ...EXCLUDED].includes(port));
  assert.ok(trapped >= 0, "the scanner met no trap");
  return {
    reported: [...reported].sort((a, b) => a - b),
    deserved: OPEN.filter((port) => asked.slice(0, trapped).includes(port)),
  };
}

for (const trigger of [0, 3]) {
  for (const args of [["-sS"], ["-sT"], ["-6", "-sS"]]) {
    Deno.test(`exposure: nmap ${args.join(" ")} -T4, scan_trigger ${trigger}: nothing after the first trapped probe, ${RUNS} of ${RUNS}`, async () => {
      await using lab = await Lab.create();
      const target = await lab.host();
      await serve(target, ...OPEN);
      const scanners: Host[] = [];
      for (let i = 0; i < RUNS; i++) scanners.push(await lab.host());
      await using trap = await ArmedTrap.arm(target, blocking({ detect: { scan_trigger: trigger } }));
      const exposures: Exposure[] = [];
      for (let i = 0; i < RUNS; i += AT_ONCE) {
        exposures.push(
          ...await Promise.all(scanners.slice(i, i + AT_ONCE).map((scanner) => scan(scanner, target, args))),
        );
      }
      for (const { reported, deserved } of exposures) assert.deepEqual(reported, deserved);
      await until(
        "every scanner is banned",
        () => scanners.every((it) => trap.hasBanned(args.includes("-6") ? it.ipv6 : it.ipv4)),
      );
    });
  }
}
