import assert from "node:assert/strict";
import { BPF, BpfAssembler, encodeProgram } from "../../../src/net/bpf.ts";
import { runProgram } from "../capture/bpf_machine.ts";

Deno.test("encodeProgram writes struct sock_filter in host order", () => {
  const bytes = encodeProgram([{ code: 0x15, jt: 1, jf: 2, k: 0x01020304 }, { code: 6, jt: 0, jf: 0, k: 0 }]);
  assert.deepEqual([...bytes], [0x15, 0, 1, 2, 4, 3, 2, 1, 6, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("BpfAssembler reaches labels at every distance on either side of a jump's 255", () => {
  for (const padding of [0, 1, 252, 253, 254, 255, 256, 257, 600]) {
    for (const branch of ["then", "else", "both"] as const) {
      const program = branchOver(padding, branch);
      for (const value of [0, 1]) {
        const bytes = Uint8Array.of(value);
        const taken = branch === "both" || (branch === "then") === (value === 1);
        const expected = taken ? (value === 1 ? 11 : 10) : 99;
        const what = `${padding} instructions, ${branch}, A = ${value}`;
        assert.equal(runProgram(program, { bytes, protocol: 0 }), expected, what);
      }
      assert.ok(program.every(({ jt, jf }) => jt <= 255 && jf <= 255));
    }
  }
});

Deno.test("BpfAssembler refuses a label that lies behind", () => {
  const asm = new BpfAssembler();
  const back = asm.label();
  asm.place(back);
  asm.goto(back);
  assert.throws(() => asm.assemble(), RangeError);
});

/** Tests for 1, with so many instructions before the targets: those return 11 (1) or 10 (0), the padding 99. */
function branchOver(padding: number, branch: "then" | "else" | "both") {
  const asm = new BpfAssembler();
  const one = asm.label();
  const zero = asm.label();
  asm.op(BPF.ldb, 0);
  asm.test(BPF.jeq, 1, {
    ...(branch === "else" ? {} : { then: one }),
    ...(branch === "then" ? {} : { else: zero }),
  });
  for (let i = 0; i < padding; i++) asm.op(BPF.and, 0xff);
  asm.ret(99);
  asm.place(one);
  asm.ret(11);
  asm.place(zero);
  asm.ret(10);
  return asm.assemble();
}
