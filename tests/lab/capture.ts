/**
 * What a host of the lab sent, in the order in which it left, from a capture on its own side.
 * @module
 */
import { openCapture, readCapture } from "../../src/capture/capture_file.ts";
import { networkLayerOffset } from "../../src/capture/link_layer.ts";
import { decodePacket } from "../../src/decode/decode.ts";
import { TCP_FLAG } from "../../src/decode/packet.ts";
import { type Host, until } from "./lab.ts";

/** A datagram to this port says that everything before it has been captured. */
const MARK_PORT = 40404;

/** tcpdump at work on a host's interface. */
export class Capture implements AsyncDisposable {
  readonly #host: Host;
  readonly #directory: string;
  readonly #tcpdump: Deno.ChildProcess;

  private constructor(host: Host, directory: string, tcpdump: Deno.ChildProcess) {
    this.#host = host;
    this.#directory = directory;
    this.#tcpdump = tcpdump;
  }

  /** Capture what `host` sends by TCP and UDP from now on. */
  static async start(host: Host): Promise<Capture> {
    const directory = await Deno.makeTempDir({ prefix: "portsnare-capture-" });
    const argv = ["tcpdump", "-Z", "root", "-i", host.interface, "-Q", "out", "-s", "128", "-B", "16384"];
    const tcpdump = host.spawn(
      [
        "/bin/sh",
        "-c",
        'exec "$@" 2>"$0"',
        `${directory}/said`,
        ...argv,
        "--immediate-mode",
        "-U",
        "-w",
        `${directory}/packets.pcap`,
        "tcp or udp",
      ],
      { stdout: "null", stderr: "null" },
    );
    const capture = new Capture(host, directory, tcpdump);
    await until("tcpdump captures", async () => (await capture.#said()).includes("listening on"));
    return capture;
  }

  /** The ports that the host has asked `address` to open a TCP connection to, each once, in the order of the first asking. */
  async portsAsked(address: string): Promise<readonly number[]> {
    await this.#host.run(["/bin/bash", "-c", `echo end >/dev/udp/${address}/${MARK_PORT}`]);
    const ports = new Set<number>();
    await until("the capture is complete", async () => {
      ports.clear();
      return await this.#read(ports);
    });
    return [...ports];
  }

  /** Stop it and remove its file. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#tcpdump.kill("SIGTERM");
    } catch {
      // It has ended with its host.
    }
    await this.#tcpdump.status;
    const said = await this.#said();
    await Deno.remove(this.#directory, { recursive: true });
    if (!said.includes("\n0 packets dropped by kernel")) throw new Error(`tcpdump lost packets: ${said}`);
  }

  async #said(): Promise<string> {
    return await Deno.readTextFile(`${this.#directory}/said`).catch(() => "");
  }

  /** @returns Whether the mark is there. */
  async #read(ports: Set<number>): Promise<boolean> {
    for await (const { packets } of readCapture(await openCapture(`${this.#directory}/packets.pcap`))) {
      for (const { linkType, bytes } of packets) {
        const offset = networkLayerOffset(linkType, bytes);
        if (typeof offset !== "number") continue;
        const packet = decodePacket(bytes.subarray(offset));
        if (packet.kind === "udp" && packet.destPort === MARK_PORT) return true;
        if (packet.kind === "tcp" && packet.flags === TCP_FLAG.syn) ports.add(packet.destPort);
      }
    }
    return false;
  }
}
