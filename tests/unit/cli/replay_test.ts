import fc from "fast-check";
import assert from "node:assert/strict";
import type { Config } from "../../../src/config/schema.ts";
import { PortSet } from "../../../src/net/ports.ts";
import { until } from "../../lab/lab.ts";
import { concat, ethernet, fragment6, icmp, ip, pcapFile, sctp, tcp, udp } from "../../lab/packets.ts";
import {
  blockingConfig,
  type Replayed,
  replayed,
  replayedBytes,
  replayedPackets,
} from "../../lab/replayed.ts";

const US = "198.51.100.2";
const THEM = "192.0.2.1";
const US6 = "2001:db8::2";
const THEM6 = "2001:db8:1::1";
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16] as const;
const DATA = new Uint8Array(20);
const START = 1_800_000_000;

type Packets = readonly Uint8Array[];

const from = (port: number, to: number, flags: number, payload?: Uint8Array): Uint8Array =>
  ip({ from: THEM, to: US, payload: tcp({ from: port, to, flags, ...(payload && { payload }) }) });
const reply = (port: number, to: number, flags: number, payload?: Uint8Array): Uint8Array =>
  ip({ from: US, to: THEM, payload: tcp({ from: port, to, flags, ...(payload && { payload }) }) });
const datagram = (port: number, to: number, source = THEM): Uint8Array =>
  ip({ from: source, to: US, protocol: 17, payload: udp({ from: port, to }) });
const ask = (port: number, to: number, dest = THEM): Uint8Array =>
  ip({ from: US, to: dest, protocol: 17, payload: udp({ from: port, to }) });

/** A whole connection from them to a service of ours, with data both ways. */
function served(client: number, port: number): Packets {
  return [
    from(client, port, SYN),
    reply(port, client, SYN | ACK),
    from(client, port, ACK),
    from(client, port, PSH | ACK, DATA),
    reply(port, client, ACK),
    reply(port, client, PSH | ACK, DATA),
    from(client, port, FIN | ACK),
    reply(port, client, FIN | ACK),
    from(client, port, ACK),
  ];
}

/** The same from us to a service of theirs. */
function used(client: number, port: number): Packets {
  return [
    reply(client, port, SYN),
    from(port, client, SYN | ACK),
    reply(client, port, ACK),
    reply(client, port, PSH | ACK, DATA),
    from(port, client, PSH | ACK, DATA),
    from(port, client, FIN | ACK),
    reply(client, port, FIN | ACK),
    from(port, client, ACK),
  ];
}

const lateTail = (client: number, port: number): Packets => [
  from(client, port, FIN | ACK),
  from(client, port, ACK),
  from(client, port, RST),
  reply(port, client, RST),
];

/** What everyday traffic looks like; a ban in any of it is a failure. */
const EVERYDAY: Readonly<Record<string, Packets>> = {
  "web: short connections": Array.from({ length: 40 }, (_, i) => served(40000 + i, i % 2 === 0 ? 80 : 443))
    .flat(),
  "web: one connection of every kind of mail and web service": [25, 80, 110, 143, 443, 465, 587, 993, 995]
    .flatMap((port, i) => served(40000 + i, port)),
  "mail, in the middle of its connections, without any SYN": [25, 143, 587, 993]
    .flatMap((port, i) => served(40000 + i, port).slice(3)),
  "the last packets of connections, answered by what they ended": [25, 143, 587, 993]
    .flatMap((port, i) => served(40000 + i, port).slice(5)),
  "retransmissions of every packet": [80, 443, 993].flatMap((port, i) =>
    served(40000 + i, port).flatMap((packet) => [packet, packet, packet])
  ),
  "late FINs, ACKs and RSTs after the end": [80, 443, 993].flatMap((port, i) => [
    ...served(40000 + i, port),
    ...lateTail(40000 + i, port),
  ]),
  "packets out of order": [80, 443, 993].flatMap((port, i) => served(40000 + i, port)).reverse(),
  "us as a client of three services": [21, 22, 25, 80, 443].flatMap((port, i) => used(800 + i, port)),
  "us as a client from reserved ports (NFS, rsh)": Array.from({ length: 20 }, (_, i) => used(1000 + i, 2049))
    .flat(),
  "us as such a client, in the middle": Array.from({ length: 20 }, (_, i) => used(1000 + i, 2049).slice(3))
    .flat(),
  "our connections refused": Array.from(
    { length: 20 },
    (_, i) => [reply(900 + i, 80, SYN), from(80, 900 + i, RST | ACK)],
  ).flat(),
  "their connections refused at one port": Array.from(
    { length: 60 },
    (_, i) => [from(40000 + i, 143, SYN), reply(143, 40000 + i, RST | ACK)],
  ).flat(),
  "FTP, active: their data connections to ports of ours": [
    ...used(50000, 21),
    ...[1001, 1002, 1003, 1004].flatMap((port) => [
      from(20, port, SYN),
      reply(port, 20, SYN | ACK),
      from(20, port, ACK),
      from(20, port, PSH | ACK, DATA),
      from(20, port, FIN | ACK),
    ]),
  ],
  "FTP, passive: our data ports": [21, 40001, 40002, 40003].flatMap((port, i) => served(50000 + i, port)),
  "DNS: our questions from any port": [53, 700, 800, 900, 33000].flatMap((
    port,
  ) => [ask(port, 53), datagram(53, port)]),
  "DNS: late and double answers": [700, 800, 900].flatMap((
    port,
  ) => [ask(port, 53), datagram(53, port), datagram(53, port)]),
  "DNS: the answer stands before the question in the file": [700, 800, 900].flatMap((port) => [
    datagram(53, port),
    ask(port, 53),
  ]),
  "DNS: their questions": Array.from({ length: 20 }, (_, i) => [datagram(40000 + i, 53), ask(53, 40000 + i)])
    .flat(),
  "NTP, SNMP, syslog and TFTP that we answer": [123, 161, 69].flatMap((
    port,
  ) => [datagram(40000, port), ask(port, 40000)]),
  "TFTP: the answer comes from another port": [
    ask(600, 69),
    datagram(50001, 600),
    ask(600, 50001),
    datagram(50001, 600),
  ],
  "NetBIOS, DHCP and RIP, unasked": [67, 68, 137, 138, 520].map((port) => datagram(port, port)),
  "ident and NetBIOS sessions": [113, 139].map((port) => from(40000, port, SYN)),
  "SIP and RTP": [5060, 16384, 16385, 16386].map((port) => datagram(port, port)),
  "traceroute by UDP": Array.from({ length: 30 }, (_, i) => datagram(40000, 33434 + i)),
  "HTTP/3 that we do not speak": Array.from({ length: 10 }, () => datagram(50000, 443)),
  "pings": Array.from({ length: 10 }, () => ip({ from: THEM, to: US, protocol: 1, payload: icmp(8) })),
  "mDNS, SSDP, NetBIOS and DHCP by broadcast and multicast (F23)": [
    ["224.0.0.251", 161],
    ["239.255.255.250", 69],
    ["198.51.100.255", 111],
    ["255.255.255.255", 514],
  ].map(([to, port]) => ip({ from: THEM, to: String(to), protocol: 17, payload: udp({ to: Number(port) }) })),
  "SYN/ACKs and RSTs of a flood in our name": Array.from(
    { length: 50 },
    (_, i) => from(80, i, i % 2 === 0 ? SYN | ACK : RST | ACK),
  ),
  "ICMP errors": Array.from(
    { length: 10 },
    () => ip({ from: THEM, to: US, protocol: 1, payload: icmp(3, 3) }),
  ),
  "SCTP associations": [7, 9, 36].flatMap((port) => [
    ip({ from: THEM, to: US, protocol: 132, payload: sctp({ to: port }) }),
    ip({ from: US, to: THEM, protocol: 132, payload: sctp({ from: port, to: 40000, chunk: 2 }) }),
  ]),
  "two mistyped ports": [from(40000, 81, SYN), from(40001, 82, SYN)],
  "stray ACKs to two ports": [from(40000, 81, ACK), from(40001, 82, FIN | ACK), from(40000, 81, ACK)],
  "one direction only, theirs, with connections to many services": [25, 80, 110, 143, 443, 993].flatMap((
    port,
    i,
  ) => served(40000 + i, port).filter((_, at) => [2, 3, 6, 8].includes(at))),
  "one direction only, theirs, with our connections": [700, 701, 702, 703].flatMap((port) =>
    used(port, 80).filter((_, at) => [1, 4, 5, 7].includes(at))
  ),
  "somebody else's scan that passes by": Array.from(
    { length: 50 },
    (_, i) => ip({ from: THEM, to: "198.51.100.77", payload: tcp({ to: i }) }),
  ),
};

for (const [name, packets] of Object.entries(EVERYDAY)) {
  Deno.test(`replay bans nobody for everyday traffic: ${name}`, async () => {
    for (const order of [packets, [...packets, ...packets]]) {
      const result = await replayedPackets(order, { local: `${US},${US6}` });
      assert.equal(result.packets, order.length);
      assert.deepEqual(result.blocks, []);
      assert.deepEqual(result.sources.filter((source) => source.decision !== "observe"), []);
    }
  });
}

const scan = (ports: number): Packets => Array.from({ length: ports }, (_, i) => from(40000, i + 1, SYN));

Deno.test("replay tells what a scanner asked of open ports as part of its scan, and of nobody else", async () => {
  const client = "192.0.2.50";
  const browsing = ip({ from: client, to: US, payload: tcp({ to: 80 }) });
  const answer = reply(80, 40000, SYN | ACK);
  const result = await replayedPackets([browsing, from(40000, 80, SYN), answer, ...scan(5)], { local: US });
  assert.deepEqual(result.sources.map(({ address, ports, decision }) => [address, ports, decision]), [[
    THEM,
    6,
    "block",
  ]]);
  assert.equal(result.probes.length, 6);
  assert.deepEqual(result.probes.map((probe) => probe["open"]).slice(0, 2), [true, false]);
});

Deno.test("replay counts an open port as no evidence: two closed ones and many open ones are no scan", async () => {
  const open = [22, 25, 80, 443].flatMap((port) => [from(40000, port, SYN), reply(port, 40000, SYN | ACK)]);
  const result = await replayedPackets([...open, ...scan(2)], { local: US });
  assert.deepEqual(result.blocks, []);
  assert.deepEqual(result.sources.map((source) => source.ports), [2]);
});

const OPEN: readonly (readonly [name: string, packets: Packets, ports: readonly number[], blocks: number])[] =
  [
    [
      "without --open, ports that accepted are open",
      [1, 2, 3].flatMap((port) => [from(40000, port, SYN), reply(port, 40000, SYN | ACK)]),
      [],
      0,
    ],
    [
      "with --open, only the listed ones are",
      [1, 2, 3].flatMap((port) => [from(40000, port, SYN), reply(port, 40000, SYN | ACK)]),
      [80],
      1,
    ],
    ["with --open, a listed port need not answer", scan(5), [1, 2, 3, 4, 5], 0],
    [
      "with --open, our own client ports are still no trap",
      [700, 701, 702, 703].flatMap((port) => used(port, 80)),
      [22],
      0,
    ],
  ];

/** Settings under which a single probe of any port is a scan. */
const HAIR_TRIGGER = blockingConfig((c) => ({
  tcp: { ...c.tcp, advanced_below: 65536 },
  udp: { ...c.udp, advanced_below: 65536 },
  detect: { ...c.detect, scan_trigger: 0 },
}));

/** Which UDP ports an answer shows to be open, and which it does not; every port that is not is one ban. */
const UDP_ANSWERS: readonly (readonly [name: string, packets: Packets, blocks: number])[] = [
  ["TFTP: the server answers from a new port", [
    datagram(40000, 69),
    ask(50001, 40000),
    datagram(40000, 50001),
    ask(50001, 40000),
  ], 0],
  ["a new port answers somebody else", [datagram(40000, 69), ask(50001, 40001)], 1],
  ["another port that was asked as well answers for itself", [
    datagram(40000, 53),
    datagram(40000, 69),
    ask(53, 40000),
  ], 1],
  ["a question that came after the answer", [ask(50001, 40000), datagram(40000, 69)], 1],
];

for (const [name, packets, blocks] of UDP_ANSWERS) {
  Deno.test(`replay, with a hair trigger: ${name}`, async () => {
    const result = await replayedPackets(packets, { local: US, config: HAIR_TRIGGER });
    assert.equal(result.blocks.length, blocks);
  });
}

const incoming = (packets: Packets): Packets => packets.filter((packet) => packet[15] === 1);

/** Captures in which the watched host says nothing: what can only be an answer bans nobody, what asks does. */
const ONE_WAY: readonly (readonly [name: string, packets: Packets, blocks: number])[] = [
  ["DNS answers to our ports", Array.from({ length: 9 }, (_, i) => datagram(53, 33000 + i)), 0],
  ["the last ACKs of our connections", Array.from({ length: 9 }, (_, i) => from(80, 33000 + i, ACK)), 0],
  ["the FINs of our connections", Array.from({ length: 9 }, (_, i) => from(80, 33000 + i, FIN | ACK)), 0],
  ["our connections", incoming(used(33000, 80)), 0],
  ["their SYNs", scan(9), 1],
  ["their SYNs, from a service's port", Array.from({ length: 9 }, (_, i) => from(53, 33000 + i, SYN)), 1],
  ["their datagrams", Array.from({ length: 9 }, (_, i) => datagram(40000, 33000 + i)), 1],
  ["their datagrams to services, from a service's port", [7, 9, 13].map((port) => datagram(53, port)), 1],
];

for (const [name, packets, blocks] of ONE_WAY) {
  Deno.test(`replay of one direction only: ${name}`, async () => {
    const config = blockingConfig((c) => ({
      tcp: HAIR_TRIGGER.tcp,
      udp: HAIR_TRIGGER.udp,
      detect: c.detect,
    }));
    const alone = await replayedPackets(packets, { local: US, config });
    assert.equal(alone.blocks.length, blocks);
    assert.match(
      alone.notes.join(),
      /^No packet of the capture is from 198\.51\.100\.2: .*--open 80,443,udp:53$/,
    );
    // What another address of ours says does not make this one heard.
    const other = ip({ from: US6, to: THEM6, payload: tcp({ from: 40000, to: 80 }) });
    const beside = await replayedPackets([...packets, other], { local: `${US},${US6}`, config });
    assert.equal(beside.blocks.length, blocks);
  });
}

Deno.test("replay believes that a UDP port which never answers is open, when --open says so", async () => {
  const packets = [7, 9, 514].map((port) => datagram(40000, port));
  const rows = [[{}, 1], [{ udp: PortSet.of(514) }, 0], [{ tcp: PortSet.of(514) }, 1]] as const;
  for (const [open, blocks] of rows) {
    assert.equal((await replayedPackets(packets, { local: US, open })).blocks.length, blocks);
  }
});

Deno.test("replay says when it was asked about the wrong host, or too little was captured", async () => {
  const wrong = await replayedPackets(scan(5), { local: "203.0.113.7" });
  assert.deepEqual([wrong.code, wrong.sources], [0, []]);
  assert.deepEqual(wrong.notes, [
    "No packet of the capture is to 203.0.113.7; most are to 198.51.100.2 (5): is one of these the watched host?",
  ]);
  const own = await replayedPackets(scan(5), { local: `${US},${THEM}` });
  assert.deepEqual([own.sources, own.notes], [[], [
    `Every packet to ${US}, ${THEM} is from there: a host that scans itself is not judged`,
  ]]);
  const none = await replayedPackets(scan(5), { local: "" });
  assert.equal(none.code, 64);
  assert.match(none.error, /^Cannot judge without --local .* are to 198\.51\.100\.2 \(5\)$/);
  const closed = reply(1, 40000, RST | ACK);
  const short = [...scan(5), closed].map((bytes) => ({
    time: START,
    bytes: ethernet(bytes),
    wireLength: 74,
  }));
  const cut = short.map((record, i) => i < 3 ? { ...record, bytes: record.bytes.subarray(0, 34) } : record);
  const result = await replayedBytes(pcapFile(cut), { local: US });
  assert.deepEqual(result.notes, [
    "Captured too short to be judged: 3 packets, whose headers were not kept whole",
  ]);
  assert.deepEqual((await replayedPackets([...scan(5), closed], { local: US })).notes, []);
});

for (const [name, packets, ports, blocks] of OPEN) {
  Deno.test(`replay: ${name}`, async () => {
    const open = ports.length === 0 ? {} : { open: { tcp: PortSet.of(...ports) } };
    const result = await replayedPackets(packets, { local: US, ...open });
    assert.equal(result.blocks.length, blocks);
  });
}

Deno.test("replay judges by the configuration it is given", async () => {
  const rows: readonly (readonly [name: string, config: Config, blocks: number, decision: string])[] = [
    ["observe", blockingConfig((c) => ({ tcp: { ...c.tcp, response: "observe" } })), 0, "observe"],
    ["trigger 6", blockingConfig((c) => ({ detect: { ...c.detect, scan_trigger: 6 } })), 0, "observe"],
    ["trigger 0", blockingConfig((c) => ({ detect: { ...c.detect, scan_trigger: 0 } })), 1, "block"],
    [
      "ignored",
      blockingConfig((c) => ({ ignore: { ...c.ignore, hosts: ["192.0.2.99/24", "a.name"] } })),
      0,
      "ignored",
    ],
    ["mode off", blockingConfig((c) => ({ tcp: { ...c.tcp, mode: "off" } })), 0, "observe"],
    [
      "mode connect",
      blockingConfig((c) => ({ tcp: { ...c.tcp, mode: "connect", ports: PortSet.of(1, 2, 3) } })),
      1,
      "block",
    ],
  ];
  for (const [name, config, blocks, decision] of rows) {
    const result = await replayedPackets(scan(5), { local: US, config });
    assert.equal(result.blocks.length, blocks, name);
    assert.deepEqual(result.sources.map((source) => source.decision), [decision], name);
    assert.equal(result.probeCount, 5, name);
  }
});

Deno.test("replay reads the ignore files of the configuration, in PortSentry's syntax", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "# friends\n192.0.2.99/24 the office\n");
    const config = blockingConfig((c) => ({ ignore: { ...c.ignore, files: [path] } }));
    const result = await replayedPackets(scan(5), { local: US, config });
    assert.deepEqual(result.sources.map((source) => source.decision), ["ignored"]);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("replay tells probes of ports that are not trapped, and does not judge by them", async () => {
  const high = Array.from({ length: 9 }, (_, i) => from(40000, 2000 + i, SYN));
  const result = await replayedPackets(high, { local: US });
  assert.deepEqual(result.blocks, []);
  assert.ok(result.probes.every((probe) => probe["trapped"] === false));
  assert.deepEqual(result.sources.map(({ ports, decision }) => [ports, decision]), [[9, "observe"]]);
});

Deno.test("F8: replay bans again once the first ban is over, by the capture's clock", async () => {
  const config = blockingConfig((c) => ({ block: { ...c.block, duration: 60, factor: 2 } }));
  const packets = [0, 30, 61, 100, 179, 182].flatMap((second) =>
    scan(3).map((bytes) => ({ time: START + second, bytes }))
  );
  const result = await replayedPackets(packets, { local: US, config });
  assert.deepEqual(result.blocks.map((block) => Number(block["time"]) - START), [0, 61, 182]);
  assert.equal(result.sources[0]?.bans, 3);
});

Deno.test("F12: replay puts IPv6 fragments together", async () => {
  const packets = [21, 22, 23].flatMap((port) => {
    const segment = tcp({ to: port });
    const parts = [[0, 8], [8, 16], [16, 20]] as const;
    return parts.map(([at, end]) => {
      const part = fragment6({ next: 6, offset: at, more: end < 20, payload: segment.subarray(at, end) });
      part[7] = port;
      return ip({ from: THEM6, to: US6, protocol: 44, payload: part });
    });
  });
  const result = await replayedPackets(packets, { local: US6 });
  assert.deepEqual(result.sources.map(({ scans, decision }) => [scans, decision]), [[{ syn: 3 }, "block"]]);
});

const TIMES: readonly (readonly [name: string, times: readonly number[], blocks: number])[] = [
  ["all at 0", [0, 0, 0], 1],
  ["at the end of time", [0xffffffff, 0xffffffff, 0xffffffff], 1],
  ["backwards", [START + 2, START + 1, START], 1],
  ["days apart", [START, START + 100_000, START + 200_000], 0],
  ["with one packet from the future", [START, 0xffffffff, START + 1], 0],
];

for (const [name, times, blocks] of TIMES) {
  Deno.test(`replay lives with absurd clocks: ${name}`, async () => {
    const packets = times.map((time, i) => ({ time, bytes: from(40000, i + 1, SYN) }));
    assert.equal((await replayedPackets(packets, { local: US })).blocks.length, blocks);
  });
}

Deno.test("replay judges a damaged capture up to the damage, and says where that is", async () => {
  const whole = pcapFile(scan(5).map((bytes) => ({ time: START, bytes: ethernet(bytes) })));
  const result = await replayedBytes(whole.subarray(0, whole.length - 3), { local: US });
  assert.equal(result.code, 65);
  assert.match(
    result.error,
    /beyond byte 304: the file ends in the middle of a record; the 4 packets before it were judged/,
  );
  assert.equal(result.packets, 4);
  assert.equal(result.blocks.length, 1);
});

Deno.test("replay refuses a link layer that it cannot read, a folder, a missing file and something else", async () => {
  const wifi = await replayedBytes(
    pcapFile([{ time: START, bytes: new Uint8Array(60) }], { linkType: 105 }),
    { local: US },
  );
  assert.equal(wifi.code, 65);
  assert.match(wifi.error, /1 of the 1 packets .* link type 105 is not known/);
  const text = await replayedBytes(new TextEncoder().encode("hello, world"), { local: US });
  assert.equal(text.code, 65);
  assert.match(text.error, /: this is neither pcap nor pcapng$/);
  for (const path of ["/", "/nonexistent/capture"]) {
    const result: Replayed = await replayed(path, { local: US });
    assert.equal(result.code, 65);
    assert.match(result.error, /^Cannot read the capture/);
  }
});

Deno.test("replay reads a pipe by way of a temporary file, and removes that", async () => {
  const directory = await Deno.makeTempDir();
  const before = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", directory);
  try {
    const pipe = `${directory}/pipe`;
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const file = pcapFile(scan(5).map((bytes) => ({ time: START, bytes: ethernet(bytes) })));
    const [result] = await Promise.all([replayed(pipe, { local: US }), Deno.writeFile(pipe, file)]);
    assert.equal(result.blocks.length, 1);
    assert.deepEqual([...Deno.readDirSync(directory)].map((entry) => entry.name), ["pipe"]);
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("replay leaves no temporary file when it is interrupted while it reads a pipe", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const main = new URL("../../../src/main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", main, "replay", "-", "--local", US],
      stdin: "piped",
      env: { TMPDIR: directory },
    }).spawn();
    const spooled = (): number => [...Deno.readDirSync(directory)].length;
    await until("the temporary file is there", () => spooled() === 1, 30);
    child.kill("SIGINT");
    assert.equal((await child.status).signal, "SIGINT");
    await child.stdin.close().catch(() => {});
    assert.equal(spooled(), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("replay tells a bounded number of sources, and every one that was banned", async () => {
  const config = blockingConfig((c) => ({ detect: { ...c.detect, max_sources: 1024 } }));
  const strangers = Array.from(
    { length: 3000 },
    (_, i) => ip({ from: `10.0.${i >>> 8}.${i & 255}`, to: US, payload: tcp({ to: 23 }) }),
  );
  const result = await replayedPackets([...strangers, ...scan(5)], { local: US, config });
  assert.equal(result.sources.length, 1024);
  assert.equal(result.sources.filter((source) => source.decision === "block").length, 1);
  assert.equal(result.probeCount, 3005);
});

Deno.test("replay never throws, and bans nobody, for captures that are cut, shuffled or changed everyday traffic", async () => {
  // Two ports of ours in all, so that no selection of these packets can look like three.
  const calm = [...served(40000, 80), ...used(700, 25)];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(calm, { minLength: 1 }), fc.nat(1500), async (packets, length) => {
      const file = pcapFile(packets.map((bytes) => ({ time: START, bytes: ethernet(bytes) }))).subarray(
        0,
        length,
      );
      const result = await replayedBytes(file, { local: US });
      assert.deepEqual(result.blocks, []);
    }),
    { numRuns: 150 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(1500), fc.nat(255)), { maxLength: 30 }), async (edits) => {
      const file = pcapFile(scan(20).map((bytes) => ({ time: START, bytes: ethernet(concat(bytes, DATA)) })));
      for (const [at, value] of edits) if (at < file.length) file[at] = value;
      await replayedBytes(file, { local: US });
    }),
    { numRuns: 150 },
  );
});
