/**
 * Classic BPF filters on sockets.
 * @module
 */
import { type BpfProgram, encodeProgram } from "../net/bpf.ts";
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** struct sock_fprog (linux/filter.h): unsigned short len @0, struct sock_filter *filter @8. */
const SOCK_FPROG_BYTES = 16;

/**
 * Attach a filter, in place of one that is there.
 *
 * @throws {SyscallError} EINVAL for a program that the kernel's checker refuses, ENOMEM when it is too large for
 *   net.core.optmem_max; a filter that is there stays.
 */
export function attachFilter(fd: number, program: BpfProgram): void {
  const instructions = encodeProgram(program);
  const fprog = new Uint8Array(SOCK_FPROG_BYTES);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(instructions)), true);
  const result = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, SOCK_FPROG_BYTES);
  checked(result, `attach filter of ${instructions.length / 8} instructions`);
}
