/**
 * Good input for the fuzzer to spoil: the captures and files of the other tests, and messages as the kernel sends them.
 * @module
 */
import { NFLOG_GROUP, writeBind, writeGroupOptions } from "../../src/capture/nflog.ts";
import { networkLayerOffset } from "../../src/capture/link_layer.ts";
import { readCapture } from "../../src/capture/capture_file.ts";
import { exampleConfig } from "../../src/config/example.ts";
import { listRequest } from "../../src/host/inet_diag.ts";
import { dumpRequest, RTM } from "../../src/host/rtnetlink.ts";
import { NetlinkWriter } from "../../src/net/netlink_message.ts";
import { State } from "../../src/record/state/state.ts";
import { writeElements } from "../../src/respond/nftables/element.ts";
import { ban, FakeClock } from "../unit/record/state/lab_state.ts";

const CAPTURES = new URL("../captures/", import.meta.url);
const PORTSENTRY = new URL("../fixtures/portsentry/", import.meta.url);
/** As many packets of each capture; the rest of it is more of the same. */
const PACKETS_OF_EACH = 12;
/** A whole capture is spoilt as a file only when it is small enough for thousands of rounds. */
const MAX_CAPTURE_BYTES = 32_768;

/** Texts as input. */
export function texts(...all: readonly string[]): readonly Uint8Array[] {
  return all.map((text) => new TextEncoder().encode(text));
}

/** Capture files, the longer ones cut. */
export async function captureFiles(): Promise<readonly Uint8Array[]> {
  const files: Uint8Array[] = [];
  for await (const { name } of Deno.readDir(CAPTURES)) {
    if (!/\.pcap(?:ng)?$/.test(name)) continue;
    files.push((await Deno.readFile(new URL(name, CAPTURES))).slice(0, MAX_CAPTURE_BYTES));
  }
  return files;
}

/** IP packets of every kind that the captures have. */
export async function ipPackets(): Promise<readonly Uint8Array[]> {
  const packets: Uint8Array[] = [];
  for (const file of await captureFiles()) {
    let taken = 0;
    for await (const batch of readCapture(ReadableStream.from([file]))) {
      for (const { linkType, bytes } of batch.packets.slice(0, PACKETS_OF_EACH - taken)) {
        const offset = networkLayerOffset(linkType, bytes);
        if (typeof offset === "number") packets.push(bytes.slice(offset));
        taken++;
      }
    }
  }
  return packets;
}

/** PortSentry's own configurations. */
export async function portsentryFiles(): Promise<readonly Uint8Array[]> {
  const names = ["portsentry-1.2-14.conf", "portsentry-2.0.7.conf", "default", "portsentry.ignore.static"];
  return await Promise.all(names.map((name) => Deno.readFile(new URL(name, PORTSENTRY))));
}

/** The example file with every key set, and a few lines that people write. */
export function tomlFiles(): readonly Uint8Array[] {
  const example = exampleConfig();
  const used = example.replaceAll(/^# ?(?=[a-z_]+ = )/gm, "");
  const own =
    '[tcp]\nports = ["1-1023", "http", 8080]\n[block]\nduration = "1d"\n[ignore]\nhosts = ["10.0.0.0/8"]\n';
  return texts(example, used, own, `${own}[tcp]\nmode = "stealth"\n`);
}

/** Packets as nfnetlink_log hands them over, several to a datagram. */
export async function loggedPackets(): Promise<readonly Uint8Array[]> {
  const packets = await ipPackets();
  const writer = new NetlinkWriter();
  const datagrams: Uint8Array[] = [];
  for (let first = 0; first < packets.length; first += 5) {
    writer.reset();
    for (const [sequence, packet] of packets.slice(first, first + 5).entries()) {
      writer.message({ type: 4 << 8, flags: 0, sequence: 0 }, () => {
        writer.raw(Uint8Array.of(2, 0, 0, NFLOG_GROUP.first & 255));
        writer.attribute(1, Uint8Array.of(0x08, 0, 1, 0));
        writer.attribute(3, new Uint8Array(16).fill(1));
        writer.uint32(12, sequence);
        writer.attribute(9, packet);
      });
    }
    datagrams.push(writer.bytes.slice());
  }
  return datagrams;
}

/** What the kernel answers to every question that is asked by netlink, and the questions themselves. */
export function netlinkMessages(): readonly Uint8Array[] {
  const bodies: readonly ((writer: NetlinkWriter) => void)[] = [
    // struct inet_diag_msg of sshd, and of a session.
    (writer) => writer.raw(diagSocket(2, 10)),
    (writer) => writer.raw(diagSocket(10, 1)),
    // struct ifaddrmsg, IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST.
    (writer) => {
      writer.raw(Uint8Array.of(2, 24, 0, 0, 2, 0, 0, 0));
      for (const type of [1, 2, 4]) writer.attribute(type, Uint8Array.of(10, 77, 0, type));
    },
    // struct rtmsg of a default route with two ways.
    (writer) => {
      writer.raw(Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0));
      writer.attribute(5, Uint8Array.of(10, 77, 0, 1));
      writer.attribute(9, Uint8Array.of(16, 0, 0, 0, 1, 0, 0, 0, 8, 0, 5, 0, 10, 77, 0, 1));
      writer.attribute(18, Uint8Array.of(10, 0, ...new Uint8Array(16).fill(7)));
    },
    // struct nfgenmsg, CTA_TUPLE_REPLY with CTA_TUPLE_IP and CTA_TUPLE_PROTO.
    (writer) => {
      writer.raw(Uint8Array.of(2, 0, 0, 0));
      writer.nested(2, () => {
        writer.nested(1, () => {
          writer.attribute(1, Uint8Array.of(10, 77, 0, 1));
          writer.attribute(2, Uint8Array.of(10, 77, 0, 2));
        });
        writer.nested(2, () => {
          writer.attribute(1, Uint8Array.of(6));
          writer.attribute(2, Uint8Array.of(0, 80));
          writer.attribute(3, Uint8Array.of(156, 64));
        });
      });
    },
    (writer) => {
      writer.raw(Uint8Array.of(1, 0, 0, 0));
      writeElements(writer, [
        { key: Uint8Array.of(10, 77, 0, 2), end: Uint8Array.of(10, 77, 0, 3), timeoutMs: 86_400_000 },
        { key: new Uint8Array(16).fill(253) },
      ]);
    },
    (writer) => writer.raw(dumpRequest(RTM.getAddress, 4)),
    (writer) => writer.raw(listRequest("tcp", { family: 6, state: 10 })),
    (writer) => writeBind(writer, NFLOG_GROUP.first, 7),
    (writer) =>
      writeGroupOptions(writer, { group: NFLOG_GROUP.held, sequence: 8 }, {
        copyBytes: 96,
        bufferBytes: 4096,
      }),
  ];
  return bodies.map((body, index) => {
    const writer = new NetlinkWriter();
    writer.message({ type: 16 + index, flags: 2, sequence: 1 }, () => body(writer));
    // The end of a dump.
    writer.message({ type: 3, flags: 2, sequence: 1 }, () => writer.raw(new Uint8Array(4)));
    return writer.bytes.slice();
  });
}

/** State databases: an empty one, one with a few bans and releases, and one with its journal still beside it. */
export async function databases(): Promise<readonly Uint8Array[]> {
  const directory = await Deno.makeTempDir();
  try {
    const clock = new FakeClock();
    const path = `${directory}/state.db`;
    {
      using state = new State(path, clock);
      state.tick();
    }
    const empty = await Deno.readFile(path);
    {
      using state = new State(path, clock);
      state.saveBans(Array.from({ length: 40 }, (_, index) => ban(`10.77.1.${index}`, clock)));
      state.saveListeners([{ protocol: "tcp", address: "", port: 22, seen: clock.now() }], 0);
      state.tick();
    }
    return [empty, await Deno.readFile(path)];
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function diagSocket(family: number, state: number): Uint8Array {
  const bytes = new Uint8Array(72);
  bytes.set([family, state, 0, 0, 0, 22, 156, 64]);
  bytes.fill(7, 8, 24);
  return bytes;
}
