/**
 * A machine that runs classic BPF as the kernel does, for the instructions that we emit (and no other).
 * @module
 */
import { ANCILLARY, BPF, type BpfProgram } from "../../../src/net/bpf.ts";

/** What a filter can see. */
export interface SeenPacket {
  /** From the network header on. */
  readonly bytes: Uint8Array;
  /** Ethernet protocol. */
  readonly protocol: number;
  /** Default: to this host. */
  readonly packetType?: number;
  /** Default: Ethernet. */
  readonly deviceType?: number;
  /** The tag that was taken off; default: there was none. */
  readonly vlanTag?: number;
}

/** Run a program. @returns Bytes to keep; 0: dropped. */
export function runProgram(program: BpfProgram, packet: SeenPacket): number {
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < program.length; pc++) {
    const instruction = program[pc];
    if (instruction === undefined) break;
    const { code, jt, jf, k } = instruction;
    const jump = conditions[code];
    if (jump !== undefined) {
      pc += jump(a, k) ? jt : jf;
      continue;
    }
    if (code === BPF.ret) return k;
    if (code === BPF.ja) pc += k;
    else if (code === BPF.and) a = (a & k) >>> 0;
    else if (code === BPF.ldx) x = k;
    else {
      const value = load(packet, code, { k, x });
      // A load from outside the packet ends the program with 0.
      if (value === undefined) return 0;
      if (code === BPF.ldxmsh) x = 4 * (value & 15);
      else a = value;
    }
  }
  throw new Error("The program ran past its end");
}

const conditions: Readonly<Record<number, (a: number, k: number) => boolean>> = {
  [BPF.jeq]: (a, k) => a === k,
  [BPF.jgt]: (a, k) => a > k,
  [BPF.jge]: (a, k) => a >= k,
  [BPF.jset]: (a, k) => (a & k) !== 0,
};

function load(
  packet: SeenPacket,
  code: number,
  at: { readonly k: number; readonly x: number },
): number | undefined {
  switch (at.k) {
    case ANCILLARY.protocol:
      return packet.protocol;
    case ANCILLARY.packetType:
      return packet.packetType ?? 0;
    case ANCILLARY.deviceType:
      return packet.deviceType ?? 1;
    case ANCILLARY.vlanTag:
      return packet.vlanTag ?? 0;
    case ANCILLARY.vlanTagPresent:
      return packet.vlanTag === undefined ? 0 : 1;
  }
  switch (code) {
    case BPF.ldb:
    case BPF.ldxmsh:
      return read(packet.bytes, at.k, 1);
    case BPF.ldbx:
      return read(packet.bytes, at.x + at.k, 1);
    case BPF.ldh:
      return read(packet.bytes, at.k, 2);
    case BPF.ldhx:
      return read(packet.bytes, at.x + at.k, 2);
    default:
      throw new Error(`No such instruction: ${code}`);
  }
}

function read(bytes: Uint8Array, offset: number, size: number): number | undefined {
  if (offset + size > bytes.length) return undefined;
  return bytes.subarray(offset, offset + size).reduce((value, byte) => value * 256 + byte, 0);
}
