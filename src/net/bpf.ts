/**
 * Classic BPF programs as values: the instructions that we use, an assembler with labels, and their encoding
 * (linux/filter.h, linux/bpf_common.h; Documentation/networking/filter.rst).
 * @module
 */

/** Opcodes by the kernel's assembler names. `ldb`, `ldh`: absolute; `ldbx`, `ldhx`: relative to X. */
export const BPF = {
  ld: 0x20,
  ldh: 0x28,
  ldb: 0x30,
  ldhx: 0x48,
  ldbx: 0x50,
  /** X = immediate. */
  ldx: 0x01,
  /** X = 4 × (byte & 15): the length of the IPv4 header. */
  ldxmsh: 0xb1,
  and: 0x54,
  ja: 0x05,
  jeq: 0x15,
  jgt: 0x25,
  jge: 0x35,
  jset: 0x45,
  ret: 0x06,
} as const;

/** What can be loaded about a packet besides its bytes: offsets from SKF_AD_OFF, as unsigned numbers. */
export const ANCILLARY = {
  /** Ethernet protocol. */
  protocol: 0xfffff000,
  /** One of {@link PACKET_TYPE}. */
  packetType: 0xfffff004,
  /** Type of the device, one of the ARPHRD_ numbers. */
  deviceType: 0xfffff01c,
  /** The VLAN tag that was taken off the frame. */
  vlanTag: 0xfffff02c,
  /** Whether a VLAN tag was taken off. */
  vlanTagPresent: 0xfffff030,
} as const;

/** Whom a packet was sent to, on the link layer (linux/if_packet.h). */
export const PACKET_TYPE = { host: 0, outgoing: 4 } as const;

/** BPF_MAXINSNS. */
export const MAX_INSTRUCTIONS = 4096;

const INSTRUCTION_BYTES = 8;
const LONGEST_BRANCH = 255;

/** struct sock_filter. */
export interface BpfInstruction {
  /** One of {@link BPF}. */
  readonly code: number;
  /** Instructions to skip when the condition holds. */
  readonly jt: number;
  /** Instructions to skip when it does not. */
  readonly jf: number;
  /** The operand. */
  readonly k: number;
}

/** A program, at least one instruction long. */
export type BpfProgram = readonly BpfInstruction[];

/** A place in a program under construction. */
export type Label = number;

/** Where a condition leads; what is left out goes on with the next instruction. */
export interface Branches {
  /** Target when the condition holds. */
  readonly then?: Label;
  /** Target when it does not hold. */
  readonly else?: Label;
}

type Item =
  | { readonly kind: "plain"; readonly code: number; readonly k: number }
  | { readonly kind: "label"; readonly label: Label }
  | { readonly kind: "goto"; readonly to: Label }
  | { readonly kind: "test"; readonly code: number; readonly k: number; readonly branches: Branches };

/**
 * Builds a program whose jumps are labels.
 *
 * A conditional jump reaches 255 instructions and only forwards; one that must go further is given an unconditional
 * jump to land on, so that callers need not count.
 */
export class BpfAssembler {
  readonly #items: Item[] = [];
  #labels = 0;

  /** A label that is not yet anywhere. */
  label(): Label {
    return this.#labels++;
  }

  /** Put a label here. Every jump to it must come before. */
  place(label: Label): void {
    this.#items.push({ kind: "label", label });
  }

  /** An instruction that does not jump. */
  op(code: number, k: number): void {
    this.#items.push({ kind: "plain", code, k });
  }

  /** Compare A with `k` by one of the `j…` opcodes. */
  test(code: number, k: number, branches: Branches): void {
    this.#items.push({ kind: "test", code, k, branches });
  }

  /** Jump always. */
  goto(to: Label): void {
    this.#items.push({ kind: "goto", to });
  }

  /** End with the number of bytes to keep; 0 drops the packet. */
  ret(bytes: number): void {
    this.op(BPF.ret, bytes);
  }

  /** The program. It may be longer than {@link MAX_INSTRUCTIONS}: the caller decides what to do about that. */
  assemble(): BpfProgram {
    const sizes: number[] = this.#items.map((item) => (item.kind === "label" ? 0 : 1));
    for (;;) {
      const { starts, targets } = this.#layout(sizes);
      let grown = false;
      for (const [index, item] of this.#items.entries()) {
        if (item.kind !== "test") continue;
        // Measured from the jump's first instruction, so that nothing it grows by can make this too small.
        const needed = 1 + farBranches(item.branches, targets, starts[index] ?? 0).length;
        if (needed > (sizes[index] ?? 0)) {
          sizes[index] = needed;
          grown = true;
        }
      }
      if (!grown) return this.#emit(starts, targets);
    }
  }

  #layout(sizes: readonly number[]): { readonly starts: readonly number[]; readonly targets: Targets } {
    const starts: number[] = [];
    const targets = new Map<Label, number>();
    let at = 0;
    for (const [index, item] of this.#items.entries()) {
      starts.push(at);
      if (item.kind === "label") targets.set(item.label, at);
      at += sizes[index] ?? 0;
    }
    return { starts, targets };
  }

  #emit(starts: readonly number[], targets: Targets): BpfProgram {
    const program: BpfInstruction[] = [];
    for (const [index, item] of this.#items.entries()) {
      const start = starts[index] ?? 0;
      if (item.kind === "plain") program.push({ code: item.code, jt: 0, jf: 0, k: item.k });
      if (item.kind === "goto") program.push(far(item.to, targets, start));
      if (item.kind === "test") program.push(...emitTest(item, targets, start));
    }
    return program;
  }
}

/** The bytes of a program, as the kernel takes them: struct sock_filter[], host order. */
export function encodeProgram(program: BpfProgram): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  }
  return bytes;
}

type Targets = ReadonlyMap<Label, number>;

function distance(label: Label, targets: Targets, from: number): number {
  const target = targets.get(label);
  if (target === undefined || target <= from) throw new RangeError(`BPF label ${label} is not ahead`);
  return target - from - 1;
}

function farBranches(branches: Branches, targets: Targets, start: number): readonly Label[] {
  return [branches.then, branches.else].filter((label) =>
    label !== undefined && distance(label, targets, start) > LONGEST_BRANCH
  ) as Label[]; // `undefined` was filtered out just now.
}

function far(label: Label, targets: Targets, at: number): BpfInstruction {
  return { code: BPF.ja, jt: 0, jf: 0, k: distance(label, targets, at) };
}

function emitTest(
  item: { readonly code: number; readonly k: number; readonly branches: Branches },
  targets: Targets,
  start: number,
): BpfInstruction[] {
  const landings = farBranches(item.branches, targets, start);
  const skip = (label: Label | undefined): number => {
    if (label === undefined) return landings.length;
    const landing = landings.indexOf(label);
    return landing >= 0 ? landing : distance(label, targets, start);
  };
  return [
    { code: item.code, jt: skip(item.branches.then), jf: skip(item.branches.else), k: item.k },
    ...landings.map((label, index) => far(label, targets, start + 1 + index)),
  ];
}
