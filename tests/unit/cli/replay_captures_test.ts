/**
 * Replay of what real scanners and clients sent, recorded with tcpdump; see tests/captures/README.md.
 */
import assert from "node:assert/strict";
import { replay } from "../../../src/cli/replay.ts";
import { parseAddress } from "../../../src/net/address.ts";
import { blockingConfig, replayed } from "../../lab/replayed.ts";

const LOCAL = "10.77.0.1,fd77::1";
const at = (name: string): string => new URL(`../../captures/${name}`, import.meta.url).pathname;

const SCANS:
  readonly (readonly [file: string, scan: string, probes: number, ports: number, source: string])[] = [
    ["nmap-syn.pcap", "syn", 100, 100, "10.77.0.2"],
    ["nmap-syn.pcapng", "syn", 29, 29, "10.77.0.2"],
    ["nmap-syn-cooked.pcap", "syn", 40, 40, "10.77.0.20"],
    ["nmap-syn-cooked2-nanoseconds.pcap", "syn", 40, 40, "10.77.0.21"],
    ["nmap-connect.pcap", "syn", 43, 43, "10.77.0.3"],
    ["nmap-fin.pcap", "fin", 60, 60, "10.77.0.4"],
    ["nmap-null.pcap", "null", 60, 60, "10.77.0.5"],
    ["nmap-xmas.pcap", "xmas", 60, 60, "10.77.0.6"],
    ["nmap-maimon.pcap", "maimon", 60, 60, "10.77.0.7"],
    ["nmap-ack.pcap", "ack", 60, 60, "10.77.0.8"],
    ["nmap-window.pcap", "ack", 60, 60, "10.77.0.9"],
    ["nmap-udp.pcap", "udp", 20, 15, "10.77.0.10"],
    ["nmap-sctp.pcap", "sctp", 60, 60, "10.77.0.11"],
    ["nmap-synurg.pcap", "unknown", 60, 60, "10.77.0.12"],
    ["nmap-fragments.pcap", "syn", 60, 60, "10.77.0.13"],
    ["nmap-source-port.pcap", "syn", 60, 60, "10.77.0.15"],
    ["nmap-slow.pcap", "syn", 8, 8, "10.77.0.16"],
    ["nmap-ipv6.pcap", "syn", 60, 60, "fd77::17"],
    ["hping3-ip-options.pcap", "syn", 12, 12, "10.77.0.19"],
    ["masscan.pcap", "syn", 60, 60, "10.77.0.2"],
    ["zmap.pcap", "syn", 6, 6, "10.77.0.4"],
    ["nping.pcap", "syn", 20, 18, "10.77.0.5"],
  ];

for (const [file, scan, probes, ports, source] of SCANS) {
  Deno.test(`replay bans the scanner of ${file} at its third port (C20, C21, F12, F13)`, async () => {
    const result = await replayed(at(file), { local: LOCAL });
    assert.equal(result.code, 0, result.error);
    assert.deepEqual(result.blocks.map((block) => [block["source"], block["ports"]]), [[source, 3]]);
    const [only, ...others] = result.sources;
    assert.deepEqual(others, []);
    assert.deepEqual([only?.address, only?.decision, only?.bans], [source, "block", 1]);
    assert.deepEqual(only?.scans, { [scan]: probes });
    assert.equal(only?.ports, ports);
    assert.equal(result.probeCount, probes);
    assert.equal(result.probes.length, probes);
  });
}

Deno.test("replay bans every decoy of nmap -D that is not protected (F2)", async () => {
  const result = await replayed(at("nmap-decoys.pcap"), { local: LOCAL });
  assert.deepEqual(result.blocks.map((block) => block["source"]).sort(), [
    "10.77.0.14",
    "10.77.0.200",
    "10.77.0.201",
  ]);
});

Deno.test("replay tells every kind of probe of nmap -O", async () => {
  const result = await replayed(at("nmap-os.pcap"), { local: LOCAL });
  assert.deepEqual(result.sources.map(({ address, decision }) => [address, decision]), [[
    "10.77.0.2",
    "block",
  ]]);
  assert.deepEqual(result.sources[0]?.scans, { syn: 30, udp: 1, null: 4, xmas: 5, ack: 1 });
});

const INNOCENTS: readonly (readonly [file: string, sources: number])[] = [
  ["benign-http.pcap", 0],
  ["benign-dns.pcap", 0],
  ["benign-mistake.pcap", 1],
  ["benign-tftp.pcap", 0],
  ["benign-ftp.pcap", 0],
];

for (const [file, sources] of INNOCENTS) {
  Deno.test(`replay bans nobody in ${file}`, async () => {
    const result = await replayed(at(file), { local: LOCAL });
    assert.equal(result.code, 0, result.error);
    assert.ok(result.packets > 20);
    assert.deepEqual(result.blocks, []);
    assert.equal(result.sources.length, sources);
    for (const source of result.sources) assert.deepEqual([source.decision, source.ports], ["observe", 1]);
    if (sources > 0) return;
    // Who asked for nothing but what is served is safe under any setting.
    const config = blockingConfig((c) => ({ detect: { ...c.detect, scan_trigger: 0 } }));
    assert.deepEqual((await replayed(at(file), { local: LOCAL, config })).sources, []);
  });
}

Deno.test("replay --json prints the documented lines and fields, times to the microsecond", async () => {
  const lines: Record<string, unknown>[] = [];
  const local = [parseAddress("10.77.0.1")].filter((address) => address !== undefined);
  const capture = at("nmap-slow.pcap");
  await replay(
    { capture, local, config: blockingConfig(), json: true },
    (line) => lines.push(JSON.parse(line)),
  );
  const [probe] = lines;
  for (const field of ["type", "time", "source", "dest", "protocol", "port", "scan"]) {
    assert.ok(probe && field in probe);
  }
  assert.match(String(probe?.["time"]), /^\d{10}\.\d{1,6}$/);
  const block = lines.find((line) => line["type"] === "block");
  for (const field of ["time", "source", "reason", "ports"]) assert.ok(block && field in block, field);
  const summary = lines.at(-1);
  assert.equal(summary?.["type"], "summary");
  assert.equal(summary?.["packets"], 22);
  assert.equal(summary?.["probes"], 8);
});

Deno.test("replay tells people the ban and a table", async () => {
  const lines: string[] = [];
  const local = [parseAddress("10.77.0.1")].filter((address) => address !== undefined);
  await replay(
    { capture: at("nmap-slow.pcap"), local, config: blockingConfig(), json: false },
    (line) => lines.push(line),
  );
  const text = lines.join("\n");
  assert.match(text, /ban 10\.77\.0\.16: distinct-ports, 3 ports/);
  assert.match(text, /10\.77\.0\.16 +block +8 +8 +[-\d]+ [:\d]+ +2s +syn 8$/m);
  assert.match(text, /22 packets, 8 probes of 1 source, 1 would have been banned/);
});

Deno.test("replay tells people who is a scanner when the configuration bans nobody", async () => {
  const lines: string[] = [];
  const local = [parseAddress("10.77.0.1")].filter((address) => address !== undefined);
  const config = blockingConfig((c) => ({ tcp: { ...c.tcp, response: "observe" } }));
  for (const capture of [at("nmap-slow.pcap"), at("benign-mistake.pcap")]) {
    await replay({ capture, local, config, json: false }, (line) => lines.push(line));
  }
  assert.match(lines.join("\n"), /^10\.77\.0\.16 +observe +8 /m);
  const told = lines.filter((line) => line.includes("only observed"));
  assert.deepEqual(told, [
    "over the trigger, but only observed, as the configuration says: 1 source",
  ]);
});
