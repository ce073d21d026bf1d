/**
 * Everything that reads what others wrote, in one table: what it is fed, and what must hold afterwards besides that
 * nothing was thrown.
 * @module
 */
import assert from "node:assert/strict";
import { readCapture } from "../../src/capture/capture_file.ts";
import { networkLayerOffset } from "../../src/capture/link_layer.ts";
import { readLoggedPackets } from "../../src/capture/nflog.ts";
import { Reassembler } from "../../src/capture/reassembly.ts";
import { convertPortsentry } from "../../src/cli/convert.ts";
import { IGNORE_LIMITS, parseIgnoreFile } from "../../src/config/ignore_file.ts";
import { checkTranslation } from "../../src/config/load.ts";
import { isPortsentryConf } from "../../src/config/portsentry/option_file.ts";
import { decodeBytes, translateFiles } from "../../src/config/portsentry/read.ts";
import { configSchema } from "../../src/config/schema.ts";
import { parseServices } from "../../src/config/services_file.ts";
import { MAX_CONFIG_BYTES } from "../../src/config/text_file.ts";
import { readToml } from "../../src/config/toml_file.ts";
import { trapOf } from "../../src/config/trap.ts";
import { parseAnswer, parseRequest, PROTOCOL_VERSION } from "../../src/control/protocol.ts";
import { decodePacket } from "../../src/decode/decode.ts";
import { classify } from "../../src/decode/classify.ts";
import { Detector } from "../../src/detect/detector.ts";
import { UserError } from "../../src/errors.ts";
import { readFlowCount, readReplier } from "../../src/host/ctnetlink.ts";
import { readBytesReceived, readLocalAddresses, readSocket } from "../../src/host/inet_diag.ts";
import { Names } from "../../src/host/names.ts";
import { parseResolvConf } from "../../src/host/resolvers.ts";
import { leadsOut, readDefaultGateways, readInterfaceAddress } from "../../src/host/rtnetlink.ts";
import { parseSctpEndpoints } from "../../src/host/sctp_endpoints.ts";
import { formatAddress, ipv4Address, parseAddress } from "../../src/net/address.ts";
import { escapeName } from "../../src/net/host_name.ts";
import { errorNumber, readMessages } from "../../src/net/netlink_message.ts";
import { parsePortRange } from "../../src/net/ports.ts";
import { formatPrefix, hostPrefix, parsePrefix } from "../../src/net/prefix.ts";
import { alertLines } from "../../src/record/alert.ts";
import { escapeLine } from "../../src/record/escape.ts";
import { eventJson } from "../../src/record/event_json.ts";
import { formatHistoryLine } from "../../src/record/history.ts";
import { State } from "../../src/record/state/state.ts";
import { outcomesFromJson, probesFromJson } from "../../src/record/state/stored_json.ts";
import { allowOverrides } from "../../src/respond/hosts_allow.ts";
import { markedTargets, withEntries, withoutTargets } from "../../src/respond/hosts_deny_lines.ts";
import { failedLine, parseSet } from "../../src/respond/ipset.ts";
import { parseRules } from "../../src/respond/iptables_rules.ts";
import { readElements } from "../../src/respond/nftables/element.ts";
import { failedRouteLines, parseRoutes } from "../../src/respond/route.ts";
import { ElfImage } from "../../scripts/elf/image.ts";
import { attachProgram, STUB_HEADER_BYTES } from "../../scripts/elf/patch.ts";
import { blockingConfig } from "../lab/replayed.ts";
import { smallElf } from "../lab/small_elf.ts";
import { blockEvent, probe } from "../unit/record/fixtures.ts";
import { ban, FakeClock } from "../unit/record/state/lab_state.ts";
import {
  captureFiles,
  databases,
  ipPackets,
  loggedPackets,
  netlinkMessages,
  portsentryFiles,
  texts,
  tomlFiles,
} from "./corpora.ts";

/** One reader and what it is fed. */
export interface Target {
  /** Its name, also that of the folder with its regressions. */
  readonly name: string;
  /** Input that is right. */
  readonly corpus: () => Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /** Words that mean something in this format. */
  readonly words?: readonly string[];
  /** Read the input. Whatever this throws is a finding. */
  readonly read: (input: Uint8Array<ArrayBuffer>) => void | Promise<void>;
  /** How many times less often than the others it gets its turn: an input takes it long. */
  readonly rarer?: number;
  /** How much it takes at once, and every how manieth input is so long. Default: it has no bound of its own. */
  readonly long?: { readonly bytes: number; readonly every: number };
}

const CONFIG = blockingConfig();
const SCHEMA = configSchema(parseServices("http 80/tcp\ndomain 53/udp\n"));
const ADDRESS_WORDS = ["192.0.2.1", "::1", "::ffff:192.0.2.1", "10.0.0.0/8", "/33", "%eth0", "]"];
const DENIED = hostPrefix(ipv4Address(0xc0000201));

/** The detector outlives its inputs, as it does in the daemon: what one leaves behind, the next one meets. */
const detector = new Detector({
  config: { ...CONFIG, detect: { ...CONFIG.detect, icmp: true, max_sources: 1024 } },
  trap: trapOf(CONFIG),
  facts: {
    isOwn: () => false,
    isForUs: () => true,
    isClientPort: () => false,
    inGrace: () => false,
    isServed: () => false,
    isIgnored: () => false,
    protectedReason: () => undefined,
    isBlocked: () => false,
  },
});
const reassembler = new Reassembler();

/** The table. */
export const TARGETS: readonly Target[] = [
  { name: "packet", corpus: ipPackets, read: readPacket },
  { name: "capture", corpus: captureFiles, read: readCaptureFile },
  { name: "nflog", corpus: loggedPackets, read: readNflog },
  { name: "netlink", corpus: netlinkMessages, read: readNetlink },
  {
    name: "toml",
    corpus: tomlFiles,
    words: ["[[", '"""', "tcp.ports", "\\u0000", "=", "{", "inf"],
    read: readTomlText,
    rarer: 15,
    long: { bytes: MAX_CONFIG_BYTES, every: 25 },
  },
  {
    name: "portsentry-conf",
    corpus: portsentryFiles,
    words: ['TCP_PORTS="', 'KILL_ROUTE="', "$TARGET$", '"', "\0", 'SCAN_TRIGGER="'],
    read: readPortsentry,
    rarer: 15,
    long: { bytes: MAX_CONFIG_BYTES, every: 25 },
  },
  {
    name: "ignore-file",
    corpus: portsentryFiles,
    words: [...ADDRESS_WORDS, "#", "\n"],
    read: readIgnoreText,
    long: { bytes: IGNORE_LIMITS.bytes, every: 200 },
  },
  {
    name: "control",
    corpus: () =>
      texts(
        `{"version":${PROTOCOL_VERSION},"verb":"block","target":"192.0.2.1","seconds":60,"force":true}`,
        `{"version":${PROTOCOL_VERSION},"verb":"why","address":"::1"}`,
        '{"data":{"a":[1]}}',
        '{"error":"no","exitCode":69}',
      ),
    words: ['"__proto__":', '"verb":', "null", "[[[[", "1e999"],
    read: readControl,
  },
  {
    name: "proc",
    corpus: () =>
      texts(
        " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS\nffff ffff 2   10  61   36412     0 1234 0.0.0.0 ::\n",
        "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch example.org\n",
        "http 80/tcp www # web\ndomain 53/udp\n",
      ),
    words: [...ADDRESS_WORDS, "nameserver ", "80/tcp"],
    read: readHostFiles,
  },
  {
    name: "address",
    corpus: () => texts(...ADDRESS_WORDS, "1-1023", "fd77::/64"),
    words: ADDRESS_WORDS,
    read: readAddress,
  },
  {
    name: "dns-name",
    corpus: () =>
      texts("host.example.org", "a/192.0.2.9 Port: 1 TCP Blocked", "x\\047y\n", "\u{1f4a5}.example"),
    words: ["/", " ", "\n", "\\", "Blocked", "\u202e"],
    read: readName,
  },
  {
    name: "hosts-deny",
    corpus: () =>
      texts(
        "ALL: PARANOID\n# Banned by portsnare: 192.0.2.1\nALL: 192.0.2.1\n",
        "sshd: [fd77::1]\\\n: deny\n",
      ),
    words: [
      "# Banned by portsnare: ",
      "ALL: 192.0.2.1",
      "\\\n",
      "\r",
      "*",
      "1*",
      " EXCEPT ",
      "[",
      ...ADDRESS_WORDS,
    ],
    read: readHostsDeny,
  },
  {
    name: "programs",
    corpus: () =>
      texts(
        "add portsnare4 192.0.2.1 timeout 86400\n",
        "blackhole 192.0.2.1 proto 179\nCommand failed -:3\n",
        "-A PORTSNARE -s 192.0.2.1/32 -j DROP\n",
        "ipset v7.17: Error in line 2: exist\n",
      ),
    words: ["line ", "-:", ...ADDRESS_WORDS],
    read: readPrograms,
  },
  {
    name: "stored-json",
    corpus: () =>
      texts(
        '[{"ok":false,"action":"nftables","error":"x"}]',
        JSON.stringify([{ ...probe(), source: "::1" }]),
      ),
    words: ['"port":', "[", "}", "null"],
    read: readStored,
  },
  { name: "database", corpus: databases, read: readDatabase, rarer: 200 },
  { name: "elf", corpus: () => [smallElf()], read: readElf },
];

function readPacket(input: Uint8Array<ArrayBuffer>): void {
  const classified = classify(decodePacket(input), 1);
  if (classified.kind === "probe") {
    const { port, sourcePort, flags } = classified.probe;
    for (const [value, limit] of [[port, 65536], [sourcePort, 65536], [flags, 256]] as const) {
      assert.ok(Number.isInteger(value) && value >= 0 && value < limit);
    }
  }
  const whole = reassembler.add({ bytes: input, wireLength: input.length }, detectorTime());
  if (whole === undefined) return;
  detector.inspect({ ...whole, time: detectorTime(), outgoing: (input[5] ?? 0) % 8 === 0 });
}

async function readCaptureFile(input: Uint8Array<ArrayBuffer>): Promise<void> {
  let bytes = 0;
  // In pieces, as a disk or a gzip stream hands it over.
  const middle = Math.floor(input.length / 3);
  for await (const batch of readCapture(ReadableStream.from([input.slice(0, middle), input.slice(middle)]))) {
    for (const packet of batch.packets) {
      bytes += packet.bytes.length;
      const offset = networkLayerOffset(packet.linkType, packet.bytes);
      if (typeof offset === "number") decodePacket(packet.bytes.subarray(offset), packet.wireLength - offset);
      assert.ok(packet.wireLength >= packet.bytes.length);
    }
  }
  assert.ok(bytes <= input.length, "packets hold more than the file does");
}

function readNflog(input: Uint8Array<ArrayBuffer>): void {
  let bytes = 0;
  readLoggedPackets(input, { copyBytes: 96, now: 1 }, (frame) => {
    bytes += frame.bytes.length;
    assert.ok(frame.wireLength >= frame.bytes.length && Number.isFinite(frame.time));
    classify(decodePacket(frame.bytes, frame.wireLength), frame.time);
  });
  assert.ok(bytes <= input.length, "packets hold more than the datagram does");
}

function readNetlink(input: Uint8Array<ArrayBuffer>): void {
  const payloads = [input, ...[...readMessages(input)].map((message) => message.payload)];
  for (const payload of payloads) {
    errorNumber(payload);
    readSocket(payload);
    readLocalAddresses(payload);
    readBytesReceived(payload);
    readInterfaceAddress(payload);
    readDefaultGateways(payload);
    leadsOut(payload);
    readReplier(payload);
    readFlowCount(payload);
    for (const element of readElements(payload)) assert.ok(element.key.length <= payload.length);
  }
}

function readTomlText(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  const file = readToml(text, "fuzz.toml");
  for (const fault of file.faults) assert.ok(fault.line >= 1 && fault.line <= text.split("\n").length);
  for (const layer of file.layers) {
    const checked = SCHEMA.safeParse(layer);
    for (const issue of checked.success ? [] : checked.error.issues) file.placeOf(issue.path, "value");
  }
}

function readPortsentry(input: Uint8Array<ArrayBuffer>): void {
  const conf = { path: "portsentry.conf", text: decodeBytes(input) };
  isPortsentryConf("portsentry", conf.text);
  for (const modeFile of [undefined, conf]) {
    refusing(() => checkTranslation(translateFiles(conf, modeFile), SCHEMA));
    const toml = refusing(() => convertPortsentry({ conf, modeFile, ignoreFiles: [conf] }));
    // What is converted must load: a comment that ends too early would be a key of the attacker's.
    if (toml !== undefined) assert.deepEqual(readToml(toml, "converted.toml").faults, []);
  }
}

function readIgnoreText(input: Uint8Array<ArrayBuffer>): void {
  const file = parseIgnoreFile(decodeBytes(input), "ignore");
  for (const prefix of file.prefixes) assert.ok(parsePrefix(formatPrefix(prefix)) !== undefined);
}

function readControl(input: Uint8Array<ArrayBuffer>): void {
  const line = new TextDecoder().decode(input);
  parseRequest(line);
  parseAnswer(line);
}

function readHostFiles(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  assert.ok(parseResolvConf(text).length <= 32);
  parseSctpEndpoints(text);
  parseServices(text)("http", "tcp");
}

function readAddress(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  const address = parseAddress(text);
  if (address !== undefined) assert.deepEqual(parseAddress(formatAddress(address)), address);
  const prefix = parsePrefix(text);
  if (prefix !== undefined) assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix);
  parsePortRange(text);
}

/** Whoever owns an address owns its name: no name may become a second field, line or word of anything that is read on. */
async function readName(input: Uint8Array<ArrayBuffer>): Promise<void> {
  const name = new TextDecoder().decode(input);
  const escaped = escapeName(name);
  assert.match(escaped, /^(?:[A-Za-z0-9._-]|\\\d{3})*$/);
  assert.equal(escapeName(escaped), escaped);
  const line = formatHistoryLine({
    time: 1,
    address: "192.0.2.1",
    hostname: name,
    port: 23,
    protocol: "tcp",
  });
  assert.match(line, /^1 - \S+ \S+ Host: [^\s/]+\/192\.0\.2\.1 Port: 23 TCP Blocked$/);
  const event = { ...blockEvent([{ ok: false, action: "x", error: name }]), hostname: name };
  for (const { text } of alertLines(event)) assert.doesNotMatch(text, /[\p{Cc}\u2028\u2029\u202e]/u);
  assert.doesNotMatch(eventJson(event) + escapeLine(name), /[\p{Cc}\u2028\u2029\u202e]/u);
  const names = new Names({
    monotonicMs: () => 0,
    reverse: () => Promise.resolve([name]),
    forward: () => Promise.resolve([name, "192.0.2.1"]),
  });
  assert.match(await names.nameOf(ipv4Address(1)) ?? "", /^(?:[A-Za-z0-9._-]|\\\d{3})*$/);
  await names.addressesOf(["a.example"]);
}

/** What the administrator wrote must survive every edit of ours. */
function readHostsDeny(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  allowOverrides(text);
  allowOverrides(text, DENIED.address);
  const before = withoutTargets(text, [...markedTargets(text), DENIED]);
  const added = withEntries(before, [{ target: DENIED, line: "ALL: 192.0.2.1" }]);
  assert.ok(added.startsWith(before));
  const after = withoutTargets(added, [DENIED]);
  assert.ok(after.startsWith(before) && after.slice(before.length).trim() === "");
}

function readPrograms(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  parseSet(text);
  failedLine(text);
  parseRoutes(text);
  failedRouteLines(text);
  parseRules(text, 4);
  parseRules(text, 6);
}

function readStored(input: Uint8Array<ArrayBuffer>): void {
  const text = decodeBytes(input);
  for (const { port } of probesFromJson(text)) assert.ok(port >= 0 && port <= 65535);
  outcomesFromJson(text);
}

/** A state that is damaged in any way must neither stop the daemon nor keep it from banning. */
async function readDatabase(input: Uint8Array<ArrayBuffer>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${directory}/state.db`, input);
    const clock = new FakeClock();
    using state = new State(`${directory}/state.db`, clock);
    for (const { target } of state.active()) formatPrefix(target);
    state.saveBans([ban("198.51.100.7", clock)]);
    state.tick();
    state.unrecorded();
    state.listeners(0);
    const kept = [...state.active()].map(({ target }) => formatPrefix(target));
    assert.ok(kept.includes("198.51.100.7"), "a ban that was made is not known");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function readElf(input: Uint8Array<ArrayBuffer>): void {
  const stub = new Uint8Array(STUB_HEADER_BYTES + 32);
  const patched = refusing(() =>
    attachProgram(input, { stub, program: new Uint8Array(64), arguments: ["a", "b"] })
  );
  if (patched !== undefined) refusing(() => new ElfImage(patched));
}

let clock = 0;
/** Time goes on while packets come. */
function detectorTime(): number {
  clock += 0.01;
  return clock;
}

/** An error for the user is an answer; any other is a finding. */
function refusing<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
