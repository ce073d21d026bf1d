/**
 * The C library's heap: what is freed in it stays with the process until somebody asks for it (malloc_trim(3)).
 *
 * The runtime frees some 20 MB after it has read the program, and as much again after a flood.
 * @module
 */
import { libc } from "./libc.ts";

/** malloc.h */
const M_MMAP_THRESHOLD = -3;
const LARGE_BYTES = 65_536;

/**
 * Let every large block be mapped by itself, so that it costs what is used of it and goes back when it is freed.
 *
 * By default malloc(3) keeps more and more of them in its heap, the more were freed (mallopt(3), M_MMAP_THRESHOLD). The
 * tables that a reload makes anew, mostly empty, would then be cleared memory and stay: 60 MB after some reloads.
 */
export function mapLargeBlocks(): void {
  libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

/** Give what is free back to the kernel. Costs a few milliseconds when there is much. */
export function releaseFreeMemory(): void {
  libc.malloc_trim(0n);
}
