/**
 * What a packet costs on its way to a decision, and a filter until it is ready: `deno bench -A bench/hot_path_bench.ts`.
 * @module
 */
import { compileTrap } from "../src/capture/trap_filter.ts";
import { defaultConfig } from "../src/config/schema.ts";
import { trapOf } from "../src/config/trap.ts";
import { classify } from "../src/decode/classify.ts";
import { decodePacket } from "../src/decode/decode.ts";
import { Detector } from "../src/detect/detector.ts";
import { PortSet } from "../src/net/ports.ts";
import { packetBytes } from "../tests/lab/made_packet.ts";

const EPHEMERAL = { first: 32768, last: 60999 };
/** 192.0.2.2, which the packets below are for. */
const OWN_ADDRESS = 0xc0000202;
const config = defaultConfig();
const trap = trapOf(config);
const tcp = { protocol: 6, destPort: 23 } as const;
const packets = {
  "IPv4 TCP": packetBytes(tcp),
  "IPv4 UDP": packetBytes({ protocol: 17, destPort: 161 }),
  "IPv6 TCP": packetBytes({ ...tcp, family: 6 }),
  "IPv6 TCP behind 64 bytes of options": packetBytes({
    ...tcp,
    family: 6,
    extension: 60,
    extensionBytes: 64,
  }),
};

for (const [name, bytes] of Object.entries(packets)) {
  Deno.bench({
    name,
    group: "decode and classify",
    baseline: name === "IPv4 TCP",
    fn() {
      classify(decodePacket(bytes), 0);
    },
  });
}

const detector = new Detector({
  config,
  trap,
  facts: {
    isOwn: (address) => address.w3 === OWN_ADDRESS,
    isForUs: (dest) => dest.w3 === OWN_ADDRESS,
    isClientPort: () => false,
    inGrace: () => false,
    isServed: () => false,
    isIgnored: () => false,
    protectedReason: () => undefined,
    isBlocked: () => false,
  },
});
const probe = packetBytes(tcp);
const source = new DataView(probe.buffer);
let count = 0;
if (
  detector.inspect({ time: 0, bytes: probe, wireLength: probe.length, outgoing: false }).verdict ===
    "not-evidence"
) {
  throw new Error("The packet is no evidence: this would measure nothing");
}

Deno.bench({
  name: "a new source each time",
  group: "frame to decision",
  baseline: true,
  fn() {
    // An odd factor visits all 2^32 sources.
    source.setUint32(12, Math.imul(++count, 0x9e3779b1));
    detector.inspect({ time: count / 1e6, bytes: probe, wireLength: probe.length, outgoing: false });
  },
});
Deno.bench({
  name: "one source, every port",
  group: "frame to decision",
  fn() {
    source.setUint32(12, 0xc0000201);
    source.setUint16(22, ++count & 1023);
    detector.inspect({ time: count / 1e6, bytes: probe, wireLength: probe.length, outgoing: false });
  },
});

for (const ranges of [10, 777, 2000, 5000]) {
  const step = Math.floor(65536 / ranges);
  const ports = new PortSet(Array.from({ length: ranges }, (_, i) => ({ first: i * step, last: i * step })));
  Deno.bench({
    name: `${ranges} ranges`,
    group: "compile a filter",
    baseline: ranges === 10,
    fn() {
      compileTrap({ ...trap, tcp: ports, sctp: ports }, { ephemeral: EPHEMERAL });
    },
  });
}
