/**
 * A search tree over port ranges as BPF code: about 1.7 instructions a range, and a dozen of them for each packet.
 * @module
 */
import { BPF, type BpfAssembler } from "../net/bpf.ts";
import type { PortRange } from "../net/ports.ts";

/** Ranges that are tried one after the other. Fewer make a longer program, more make a slower one. */
const LEAF_RANGES = 8;

/** Code that ends the program: with `accept` bytes when A is in one of the sorted, disjoint ranges, else with 0. */
export function placePortTree(asm: BpfAssembler, ranges: readonly PortRange[], accept: number): void {
  if (ranges.length <= LEAF_RANGES) return placeLeaf(asm, ranges, accept);
  const middle = ranges.length >> 1;
  const upper = asm.label();
  asm.test(BPF.jge, ranges[middle]?.first ?? 0, { then: upper });
  placePortTree(asm, ranges.slice(0, middle), accept);
  asm.place(upper);
  placePortTree(asm, ranges.slice(middle), accept);
}

function placeLeaf(asm: BpfAssembler, ranges: readonly PortRange[], accept: number): void {
  const hit = asm.label();
  const miss = asm.label();
  for (const { first, last } of ranges) {
    if (first === last) asm.test(BPF.jeq, first, { then: hit });
    else {
      const next = asm.label();
      // Sorted: below this range means in none of the later ones either.
      asm.test(BPF.jge, first, { else: miss });
      asm.test(BPF.jgt, last, { then: next, else: hit });
      asm.place(next);
    }
  }
  asm.place(miss);
  asm.ret(0);
  if (ranges.length === 0) return;
  asm.place(hit);
  asm.ret(accept);
}
