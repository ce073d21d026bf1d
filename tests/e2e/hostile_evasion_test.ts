/** Scanners that try not to be seen, from one table with both engines. @module */
import assert from "node:assert/strict";
import { serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { packetBytes, type PacketOptions } from "../lab/made_packet.ts";
import { RawSender } from "../lab/raw_sender.ts";
import { openSession } from "../lab/session.ts";
import { bannedInKernel, banOf, BLOCKING, forge, scan, statusOf } from "../lab/siege.ts";

const TCP = 6;
const UDP = 17;
const PORTS = [611, 607, 623, 601, 619];

/** Who asks whom for what. */
interface Probe {
  readonly source: string;
  readonly dest: string;
  readonly destPort: number;
}

/** A trick: the packets in which one port is asked for. `family` 6: between IPv6 addresses. */
interface Trick {
  readonly family?: 6;
  readonly packets: (probe: Probe) => readonly Uint8Array<ArrayBuffer>[];
}

/** A TCP packet with these changes. */
function tcp(changes: Partial<PacketOptions>): Trick {
  return {
    ...(changes.family === 6 ? { family: 6 } : {}),
    packets: (probe) => [packetBytes({ protocol: TCP, ...probe, ...changes })],
  };
}

function udp(sourcePort: number): Trick {
  return { packets: (probe) => [packetBytes({ protocol: UDP, payload: 4, sourcePort, ...probe })] };
}

/** A TCP packet, its bytes changed afterwards. */
function edited(edit: (bytes: Uint8Array<ArrayBuffer>) => void, changes: Partial<PacketOptions> = {}): Trick {
  return {
    packets: (probe) => {
      const bytes = packetBytes({ protocol: TCP, ...probe, ...changes });
      edit(bytes);
      return [bytes];
    },
  };
}

/** A TCP packet cut up; each part says which of its bytes (a multiple of 8) it carries. */
function cut(parts: readonly (readonly [from: number, to: number])[]): Trick {
  return {
    packets: (probe) => {
      const whole = packetBytes({ protocol: TCP, ...probe });
      return parts.map(([from, to]) => {
        const part = packetBytes({
          protocol: TCP,
          ...probe,
          fragment: (to < 20 ? 0x2000 : 0) | from / 8,
          transportBytes: to - from,
        });
        part.set(whole.subarray(20 + from, 20 + to), 20);
        // The identification joins the parts; every port has its own.
        new DataView(part.buffer).setUint16(4, probe.destPort);
        return part;
      });
    },
  };
}

/** A SYN over IPv6 in two fragments, of which the first has the whole TCP header, as it must (RFC 8200, section 4.5). */
function halved6(): Trick {
  const IPV6_BYTES = 40;
  const FIRST_BYTES = 24;
  return {
    family: 6,
    packets: (probe) =>
      [{ fragment: 1, length: FIRST_BYTES }, { fragment: FIRST_BYTES, length: 8 }].map(
        ({ fragment, length }) => {
          const part = packetBytes({ family: 6, protocol: TCP, ...probe, fragment, transportBytes: length });
          const bytes = new Uint8Array(IPV6_BYTES + 8 + length);
          bytes.set(part);
          const view = new DataView(bytes.buffer);
          view.setUint16(4, 8 + length);
          // The identification joins the parts; every port has its own.
          view.setUint32(IPV6_BYTES + 4, probe.destPort);
          return bytes;
        },
      ),
  };
}

const SEEN: Readonly<Record<string, Trick>> = {
  "a plain SYN": tcp({}),
  "SYN and FIN": tcp({ flags: 0x03 }),
  "SYN and URG": tcp({ flags: 0x22 }),
  "SYN with both ECN bits": tcp({ flags: 0xc2 }),
  "no flag at all": tcp({ flags: 0 }),
  "FIN": tcp({ flags: 0x01 }),
  "FIN, PSH and URG": tcp({ flags: 0x29 }),
  "URG alone": tcp({ flags: 0x20 }),
  "source port 53": tcp({ sourcePort: 53 }),
  "source port 20": tcp({ sourcePort: 20 }),
  "source port 0": tcp({ sourcePort: 0 }),
  "source port 443": tcp({ sourcePort: 443 }),
  "UDP from port 53": udp(53),
  "UDP from port 67": udp(67),
  "UDP from port 123": udp(123),
  "a TTL of 1": edited((bytes) => bytes[8] = 1),
  "a TTL of 255": edited((bytes) => bytes[8] = 255),
  "a wrong TCP checksum": edited((bytes) => bytes[36] = 0x55),
  "reserved TCP bits": edited((bytes) => bytes[32] = (bytes[32] ?? 0) | 0x0f),
  "the evil bit (RFC 3514)": tcp({ fragment: 0x8000 }),
  "a type of service": edited((bytes) => bytes[1] = 0xfc),
  "IPv4 options": tcp({ options: 40 }),
  "fragments of 8 bytes": cut([[0, 8], [8, 16], [16, 20]]),
  "fragments in reverse order": cut([[16, 20], [8, 16], [0, 8]]),
  "a first fragment with the ports alone": cut([[0, 8], [8, 20]]),
  "a fragment sent twice": cut([[0, 8], [0, 8], [8, 20]]),
  "IPv6": tcp({ family: 6 }),
  "IPv6 with destination options": tcp({ family: 6, extension: 60, extensionBytes: 64 }),
  "IPv6 with hop-by-hop options": tcp({ family: 6, extension: 0, extensionBytes: 8 }),
  "IPv6 with a long header in front": tcp({ family: 6, extension: 60, extensionBytes: 1024 }),
  "an IPv6 atomic fragment (RFC 6946)": tcp({ family: 6, fragment: 0 }),
  "two IPv6 fragments": halved6(),
};

/** What no host puts together: it reaches no service, and may be held against nobody, for it is easily forged. */
const THROWN_AWAY: Readonly<Record<string, Trick>> = {
  "fragments that overlap": cut([[0, 16], [8, 20]]),
  "a later fragment without a first one": cut([[8, 20]]),
  "a first fragment without a later one": cut([[0, 8]]),
};

for (const engine of ["kernel", "raw"]) {
  Deno.test(`evasion: engine ${engine}, no trick hides a scan of ${PORTS.length} ports`, async (test) => {
    await using lab = await Lab.create();
    const [target, scanner] = [await lab.host(), await lab.host()];
    await using _daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });
    let number = 0;
    for (const [what, trick] of Object.entries(SEEN)) {
      const source = sourceOf(scanner, trick, number++);
      await test.step(what, async () => {
        ask(scanner, trick, { source, target });
        await until(`a ban for ${what}`, async () => (await bannedInKernel(target)).includes(source), 10);
      });
    }
  });

  Deno.test(`evasion: engine ${engine}, what no host puts together bans nobody`, async (test) => {
    await using lab = await Lab.create();
    const [target, scanner] = [await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });
    let number = 0;
    for (const [what, trick] of Object.entries(THROWN_AWAY)) {
      const source = sourceOf(scanner, trick, number++);
      await test.step(what, async () => {
        ask(scanner, trick, { source, target });
        const witness = sourceOf(scanner, tcp({}), 100 + number);
        ask(scanner, tcp({}), { source: witness, target });
        await until(
          "the witness is banned",
          async () => (await bannedInKernel(target)).includes(witness),
          10,
        );
        assert.deepEqual(daemon.about(source, "block"), [], "somebody forged is banned");
      });
    }
  });

  Deno.test(`slow scans: engine ${engine}, probes of one port a second are counted for as long as the window is`, async () => {
    await using lab = await Lab.create();
    const [target, scanner] = [await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, {
      config: { ...BLOCKING, detect: { engine, window: "4s" }, block: { quarantine: "0s" } },
    });
    const slow = sourceOf(scanner, tcp({}), 1);
    const slower = sourceOf(scanner, tcp({}), 2);
    for (const [index, port] of PORTS.slice(0, 3).entries()) {
      ask(scanner, tcp({}), { source: slow, target, ports: [port] });
      // The limit: who takes longer than the window between ports is not seen as one scan.
      if (index < 2) ask(scanner, tcp({}), { source: slower, target, ports: [port] });
      await pause(1000);
    }
    await until("the slow one is banned", async () => (await bannedInKernel(target)).includes(slow), 5);
    await pause(4000);
    ask(scanner, tcp({}), { source: slower, target, ports: [PORTS[2] ?? 0] });
    await until("the slower one is told", () => daemon.about(slower, "probe").length === 3);
    assert.deepEqual(daemon.about(slower, "block"), []);
  });
}

Deno.test("distributed scans: many sources with two ports each are told, and none of them is banned (a limit)", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  const sources = Array.from({ length: 20 }, (_, index) => sourceOf(scanner, tcp({}), index));
  for (const [index, source] of sources.entries()) {
    ask(scanner, tcp({}), { source, target, ports: [500 + index, 600 + index] });
  }
  await until("all are told", () => sources.every((source) => daemon.about(source, "probe").length > 0));
  assert.deepEqual(await bannedInKernel(target), []);
});

Deno.test("another address of one IPv6 /64 for each port: each is told, and none of them is banned (a limit)", async () => {
  await using lab = await Lab.create();
  const [target, hopper, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  const sources = Array.from({ length: 100 }, (_, index) => `fd77::7:${(index + 1).toString(16)}`);
  for (const [index, source] of sources.entries()) {
    forge(hopper, { source, dest: target.ipv6, ports: [500 + index] });
  }
  await until("all are told", () => sources.every((source) => daemon.about(source, "probe").length > 0));
  // Somebody who stays at one address of the same /64 is caught as ever.
  scan(scanner, target.ipv6);
  await banOf(daemon, scanner.ipv6);
  assert.deepEqual(await bannedInKernel(target), [scanner.ipv6]);
});

Deno.test("a scanner that holds a connection to SSH, and has spoken on it, is told, but banned only when it lets go (a limit)", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await serve(target, 22);
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  const connection = await openSession(scanner, { address: target.ipv4, port: 22 });
  const saved = async (): Promise<number> =>
    (await statusOf(daemon)).protected.find(({ address }) => address === scanner.ipv4)?.saved ?? -1;
  await until("the session is known", async () => await saved() === 0);
  scan(scanner, target.ipv4);
  await until("status says that it would have been banned", async () => await saved() > 0);
  assert.deepEqual(await bannedInKernel(target), []);
  connection[Symbol.dispose]();
  await until("it is protected no more", async () => await saved() < 0);
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
});

/** An address of the scanner's network that nobody else has. */
function sourceOf(scanner: Host, trick: Trick, number: number): string {
  return trick.family === 6 ? `fd77::7:${number + 1}` : scanner.ipv4.replace(/\d+$/, String(100 + number));
}

function ask(
  scanner: Host,
  trick: Trick,
  whom: { readonly source: string; readonly target: Host; readonly ports?: readonly number[] },
): void {
  const { source, target } = whom;
  const dest = trick.family === 6 ? target.ipv6 : target.ipv4;
  scanner.inside(() => {
    using sender = new RawSender();
    for (const destPort of whom.ports ?? PORTS) {
      for (const bytes of trick.packets({ source, dest, destPort })) sender.sendBytes(bytes);
    }
  });
}

/** The window is measured by the daemon's clock, so that it has to pass. */
async function pause(milliseconds: number): Promise<void> {
  const began = performance.now();
  await until("time has passed", () => performance.now() - began > milliseconds, milliseconds / 1000 + 5);
}
