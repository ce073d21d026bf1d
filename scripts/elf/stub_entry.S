/*
 * Where the patched executable starts: the dynamic linker has done its work and jumps here instead of to the runtime's
 * own _start. The image that the linker script makes begins with the header, so this is at a fixed distance from it.
 *
 * On entry, as the System V ABI for x86-64 says of a process start: %rsp points at argc, %rdx is a function that the C
 * library has to call at exit. Both must reach the runtime's _start; every other register is ours.
 */
	.section .stub.header, "ax"
	.globl	stub_header
	.hidden	stub_header
stub_header:
	.fill	STUB_HEADER_SIZE, 1, 0

	.section .stub.entry, "ax"
	.globl	_start
_start:
	movq	%rsp, %rbx
	movq	%rdx, %r12

	/* How much room the longer argument vector needs. */
	movq	%rbx, %rdi
	call	stub_vector_words
	shlq	$3, %rax
	subq	%rax, %rsp
	andq	$-16, %rsp

	/* Fill it; what is called here works below the vector. */
	movq	%rbx, %rdi
	movq	%rsp, %rsi
	call	stub_fill_vector

	/* On to the runtime, which finds the new vector at %rsp. */
	movq	%r12, %rdx
	leaq	stub_header(%rip), %rax
	addq	(%rax), %rax
	xorl	%ebp, %ebp
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
