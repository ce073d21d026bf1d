/**
 * What looking at a packet costs the kernel, apart from everything else: how much longer it takes to send one through.
 * @module
 */
import { compileTrap } from "../../src/capture/trap_filter.ts";
import { defaultConfig } from "../../src/config/schema.ts";
import { type Trap, trapOf } from "../../src/config/trap.ts";
import { PacketSocket } from "../../src/ffi/packet_socket.ts";
import { PortSet } from "../../src/net/ports.ts";
import { NftablesBackend } from "../../src/respond/nftables/backend.ts";
import { rulesetPlan } from "../../src/respond/nftables/plan.ts";
import { systemClock } from "../../src/system/clock.ts";
import { run as exec } from "../../src/system/exec.ts";
import type { Host } from "../../tests/lab/lab.ts";
import { packetBytes } from "../../tests/lab/made_packet.ts";
import { RawSender } from "../../tests/lab/raw_sender.ts";
import { median } from "./statistics.ts";
import { OPEN_PORTS, type Scene } from "../scene.ts";

const OBSTACLES = ["packet socket", "rules, raw engine", "rules, kernel engine"] as const;

/** What portsnare puts into the way of packets. */
export type Obstacle = (typeof OBSTACLES)[number];

/** Nanoseconds that a packet takes longer. */
export interface PacketCost {
  readonly in: number;
  readonly out: number;
}

const [OPEN_PORT = 80] = OPEN_PORTS.slice(1);
const ROUNDS = 15;
const BATCHES = 40;
const BATCH_PACKETS = 200;
const TCP = 6;
/** As nearly every packet of a connection. */
const ACK = 16;
const EPHEMERAL = { first: 32768, last: 60999 };

/**
 * Measure all of them in turn, on hosts where no detector runs. Of many batches the fastest counts, because whatever else
 * the machine does only makes one slower; and of what each round says, compared with no obstacle, the median.
 */
export async function packetCosts(scene: Scene): Promise<ReadonlyMap<Obstacle, PacketCost>> {
  const rounds = new Map<Obstacle, PacketCost[]>(OBSTACLES.map((obstacle) => [obstacle, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const free = await withObstacle(scene, undefined);
    for (const [obstacle, costs] of rounds) {
      const cost = await withObstacle(scene, obstacle);
      costs.push({ in: cost.in - free.in, out: cost.out - free.out });
    }
  }
  const middle = (costs: readonly PacketCost[], way: keyof PacketCost): number =>
    median(costs.map((cost) => cost[way])) ?? NaN;
  return new Map(
    Array.from(rounds, ([obstacle, costs]) => [
      obstacle,
      { in: middle(costs, "in"), out: middle(costs, "out") },
    ]),
  );
}

async function withObstacle(scene: Scene, obstacle: Obstacle | undefined): Promise<PacketCost> {
  const { server, client } = scene;
  const config = defaultConfig();
  const blocking = { ...config, tcp: { ...config.tcp, response: "block" as const } };
  using connection = await client.inside(() => Deno.connect({ hostname: server.ipv4, port: OPEN_PORT }));
  const { port } = connection.localAddr;
  const measured = (): PacketCost => ({
    in: sending({ from: client, to: server }, { sourcePort: port, destPort: OPEN_PORT }),
    out: sending({ from: server, to: client }, { sourcePort: OPEN_PORT, destPort: port }),
  });
  if (obstacle === undefined) return measured();
  if (obstacle === "packet socket") {
    const filter = compileTrap(narrowed(trapOf(blocking)), { ephemeral: EPHEMERAL });
    using _ = server.inside(() => new PacketSocket(filter));
    return measured();
  }
  const engine = obstacle === "rules, raw engine" ? "raw" : "kernel";
  const plan = rulesetPlan(blocking, { engine, conntrack: false, ephemeral: EPHEMERAL });
  using table = new NftablesBackend({ plan, exec, monotonicMs: systemClock.monotonicMs });
  {
    using _ = server.enter();
    await table.setup();
  }
  try {
    return measured();
  } finally {
    using _ = server.enter();
    await table.teardown();
  }
}

/** As the daemon does: the filter leaves out what is served. */
function narrowed(trap: Trap): Trap {
  return { ...trap, tcp: trap.tcp.without(PortSet.of(...OPEN_PORTS)) };
}

/**
 * Nanoseconds for a packet from one host to the other, in the fastest batch: the kernel is through when the call returns.
 *
 * @param ports Of a connection that is there: the kernel finds its socket, as for nearly all that comes in. Without a
 * checksum, so that TCP drops the packet when everybody else has seen it.
 */
function sending(
  { from, to }: { readonly from: Host; readonly to: Host },
  ports: { readonly sourcePort: number; readonly destPort: number },
): number {
  const bytes = packetBytes({ source: from.ipv4, dest: to.ipv4, protocol: TCP, flags: ACK, ...ports });
  using sender = from.inside(() => new RawSender());
  let fastest = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    const begin = performance.now();
    for (let i = 0; i < BATCH_PACKETS; i++) sender.sendBytes(bytes);
    fastest = Math.min(fastest, performance.now() - begin);
  }
  return fastest / BATCH_PACKETS * 1e6;
}
