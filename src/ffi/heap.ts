/**
 * The C library's heap: what is freed in it stays with the process until somebody asks for it (malloc_trim(3)).
 *
 * The runtime frees some 20 MB after it has read the program, and as much again after a flood.
 * @module
 */
import { libc } from "./libc.ts";

/** Give what is free back to the kernel. Costs a few milliseconds when there is much. */
export function releaseFreeMemory(): void {
  libc.malloc_trim(0n);
}
