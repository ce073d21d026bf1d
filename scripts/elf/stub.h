/*
 * The header at the start of the stub's image. patch.ts writes its fields: HEADER there has the same order.
 */
#ifndef STUB_H
#define STUB_H

#define STUB_HEADER_SIZE 48

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Distances are from the header's own address, because the kernel chooses where the file is mapped. */
struct stub_header {
	uint64_t entry_distance;     /* to the runtime's own entry point */
	uint64_t setenv_distance;    /* to the slot that holds the address of the C library's setenv */
	uint64_t program_distance;   /* to the module that the runtime is to run */
	uint64_t program_size;       /* in bytes */
	uint64_t arguments_distance; /* to the runtime's arguments, argv[0] first, each ended by a zero byte */
	uint64_t arguments_count;
};

_Static_assert(sizeof(struct stub_header) == STUB_HEADER_SIZE, "stub_entry.S reserves the header");
#endif

#endif
