/**
 * A TCP SYN packet, right in every checksum, whose source and ports can be changed quickly.
 * @module
 */
import { addressToBytes, familyOf, parseAddress } from "../../src/net/address.ts";

const TCP_BYTES = 20;
const SYN = 2;

/** One packet in one buffer. */
export class SynPacket {
  /** The packet from its IP header on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 4 or 6. */
  readonly family: 4 | 6;
  readonly #view: DataView;
  readonly #header: number;

  /** @throws {Error} When an address is none, or they are of two families. */
  constructor(source: string, dest: string) {
    const from = parseAddress(source);
    const to = parseAddress(dest);
    if (from === undefined || to === undefined || familyOf(from) !== familyOf(to)) {
      throw new Error(`No packet goes from ${source} to ${dest}`);
    }
    this.family = familyOf(from);
    this.#header = this.family === 4 ? 20 : 40;
    this.bytes = new Uint8Array(this.#header + TCP_BYTES);
    this.#view = new DataView(this.bytes.buffer);
    if (this.family === 4) this.#ipv4();
    else this.#ipv6();
    const [sourceAt, destAt] = this.family === 4 ? [12, 16] : [8, 24];
    this.bytes.set(addressToBytes(from), sourceAt);
    this.bytes.set(addressToBytes(to), destAt);
    this.#view.setUint32(this.#header + 4, 0x1000);
    this.bytes[this.#header + 12] = (TCP_BYTES / 4) << 4;
    this.bytes[this.#header + 13] = SYN;
    this.#view.setUint16(this.#header + 14, 64240);
  }

  /** Change the last 32 bits of the source, and the ports. */
  aim(
    options: { readonly sourceBits: number; readonly sourcePort: number; readonly destPort: number },
  ): void {
    this.#view.setUint32(this.family === 4 ? 12 : 20, options.sourceBits);
    this.#view.setUint16(this.#header, options.sourcePort);
    this.#view.setUint16(this.#header + 2, options.destPort);
    if (this.family === 4) {
      this.#view.setUint16(10, 0);
      this.#view.setUint16(10, this.#fold(0, 20, 0));
    }
    this.#view.setUint16(this.#header + 16, 0);
    // The pseudo header (RFC 9293, section 3.1): both addresses, the protocol, the length.
    const addressesAt = this.family === 4 ? 12 : 8;
    this.#view.setUint16(this.#header + 16, this.#fold(addressesAt, this.bytes.length, 6 + TCP_BYTES));
  }

  /** The last 32 bits of the source. */
  sourceBits(): number {
    return this.#view.getUint32(this.family === 4 ? 12 : 20);
  }

  #ipv4(): void {
    this.bytes[0] = 0x45;
    this.#view.setUint16(2, this.bytes.length);
    this.#view.setUint16(6, 0x4000);
    this.bytes[8] = 64;
    this.bytes[9] = 6;
  }

  #ipv6(): void {
    this.bytes[0] = 0x60;
    this.#view.setUint16(4, TCP_BYTES);
    this.bytes[6] = 6;
    this.bytes[7] = 64;
  }

  /** RFC 1071. */
  #fold(from: number, to: number, start: number): number {
    let sum = start;
    for (let at = from; at < to; at += 2) sum += this.#view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    return ~sum & 0xffff;
  }
}
