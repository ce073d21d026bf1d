/**
 * Sends IP packets and Ethernet frames exactly as they were made, through raw sockets.
 * @module
 */
import { libc } from "./libc.ts";
import { packetBytes, type PacketOptions } from "./made_packet.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;
const SOCKADDR_LL_BYTES = 20;
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const SOL_SOCKET = 1;
const SO_BROADCAST = 6;

/** A sender of both families. Make it with `host.inside(() => new RawSender())`: it stays in that host's network. */
export class RawSender implements Disposable {
  readonly #v4 = open(AF_INET);
  readonly #v6 = open(AF_INET6);
  readonly #interface: number;

  /** @param name The interface that multicast leaves by. */
  constructor(name = "eth0") {
    this.#interface = libc.if_nametoindex(new TextEncoder().encode(`${name}\0`));
    const one = Uint8Array.of(1, 0, 0, 0);
    libc.setsockopt(this.#v4, SOL_SOCKET, SO_BROADCAST, one, one.length);
  }

  /** Send one packet. The kernel finds the way by the destination in it. */
  send(options: PacketOptions): void {
    this.sendBytes(packetBytes(options));
  }

  /** Send one packet that was made elsewhere, from its IP header on. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    const family = (bytes[0] ?? 0) >> 4 === 6 ? 6 : 4;
    const to = new Uint8Array(family === 4 ? 16 : 28);
    new DataView(to.buffer).setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
    to.set(family === 4 ? bytes.subarray(16, 20) : bytes.subarray(24, 40), family === 4 ? 4 : 8);
    // sin6_scope_id, for multicast.
    if (family === 6 && bytes[24] === 0xff) to[24] = this.#interface;
    const fd = family === 4 ? this.#v4 : this.#v6;
    const sent = libc.sendto(fd, bytes, BigInt(bytes.length), 0, to, to.length);
    if (sent !== BigInt(bytes.length)) throw new Error(`sendto sent ${sent} of ${bytes.length} bytes`);
  }

  /** Close both sockets. */
  [Symbol.dispose](): void {
    libc.close(this.#v4);
    libc.close(this.#v6);
  }
}

/** Sends whole Ethernet frames. Make it with `host.inside(() => new FrameSender())`. */
export class FrameSender implements Disposable {
  readonly #fd = open(AF_PACKET, 0);
  readonly #to = new Uint8Array(SOCKADDR_LL_BYTES);

  /** @param name The interface that the frames leave by. */
  constructor(name = "eth0") {
    const view = new DataView(this.#to.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setInt32(4, libc.if_nametoindex(new TextEncoder().encode(`${name}\0`)), true);
  }

  /** Send an IPv4 packet in a frame to `mac`, with a VLAN tag when there is one. */
  send(options: PacketOptions, link: { readonly mac: string; readonly vlanTag?: number }): void {
    const mac = link.mac.split(":").map((byte) => parseInt(byte, 16));
    const tag = link.vlanTag === undefined ? [] : [0x81, 0x00, link.vlanTag >> 8, link.vlanTag & 255];
    const bytes = Uint8Array.of(...mac, 2, 0, 0, 0, 0, 1, ...tag, 0x08, 0x00, ...packetBytes(options));
    const sent = libc.sendto(this.#fd, bytes, BigInt(bytes.length), 0, this.#to, this.#to.length);
    if (sent !== BigInt(bytes.length)) throw new Error(`sendto sent ${sent} of ${bytes.length} bytes`);
  }

  /** Close the socket. */
  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

function open(family: number, protocol = IPPROTO_RAW): number {
  const fd = libc.socket(family, SOCK_RAW, protocol);
  if (fd < 0) throw new Error("Cannot open a raw socket; is this root?");
  return fd;
}
