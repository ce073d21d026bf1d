/*
 * Makes `portsnare list` out of `deno run … PROGRAM list` before the runtime has seen its arguments.
 *
 * The file is the Deno runtime with one more segment: this code, a module (loader.js) and the runtime's arguments. By the
 * time it runs, the dynamic linker has initialised the C library but no code of the runtime has run. It
 *
 *   1. puts the module into a memory file, which needs no writable directory and no permission to execute one,
 *   2. takes settings of the runtime out of the environment, so that what somebody exported for their own Deno or Node.js
 *      cannot change how a root daemon runs, and
 *   3. builds the argument vector that the runtime is to see.
 *
 * The kernel's view is not touched: ps, /proc/PID/cmdline and /proc/PID/exe show portsnare and its own arguments.
 * Freestanding: of the C library only setenv is called, through the address that the linker resolved for the runtime.
 */
#include <stddef.h>
#include "stub.h"

extern const struct stub_header stub_header __attribute__((visibility("hidden")));

/* System calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) and flags (linux/memfd.h). */
enum { SYS_WRITE = 1, SYS_EXIT_GROUP = 231, SYS_MEMFD_CREATE = 319 };
enum { MFD_CLOEXEC = 0x1, MFD_NOEXEC_SEAL = 0x8 };
enum { EINTR = 4, EINVAL = 22 };
enum { STDERR = 2, EXIT_INTERNAL = 70 };

#define FD_PATH "/proc/self/fd/"
#define FD_DIGITS 10

/* The path of the program must outlive this code, which has no memory of its own: it lies behind the vector. */
#define PATH_WORDS ((sizeof FD_PATH + FD_DIGITS + sizeof(uintptr_t) - 1) / sizeof(uintptr_t))

/* Environment variables that Deno, V8 and its Node.js layer take as settings begin with one of these. */
static const char runtime_prefixes[][12] = {"DENO_", "DENORT_", "NODE_", "NPM_CONFIG_", "JSR_", "OTEL_"};

/*
 * What the runtime is told instead: no cache below somebody's home directory, and no word about that on a terminal; no
 * question over the network whether there is a newer Deno.
 */
struct setting {
	char name[24];
	char value[24];
};
static const struct setting settings[] = {
	{"DENO_DIR", "/dev/null"},
	{"DENO_LOG", "error,deno::cache=off"},
	{"DENO_NO_UPDATE_CHECK", "1"},
};

/* What the kernel put on the stack: argc, argv, 0, environment, 0, pairs of the auxiliary vector with a last type 0. */
struct start {
	size_t argc;
	uintptr_t *argv;
	uintptr_t *environment;
	uintptr_t *auxiliary;
	size_t auxiliary_words;
};

static long system_call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static const char *at_distance(uint64_t distance)
{
	return (const char *)&stub_header + distance;
}

static __attribute__((noreturn)) void give_up(const char *message, size_t size)
{
	system_call(SYS_WRITE, STDERR, (long)message, (long)size);
	for (;;)
		system_call(SYS_EXIT_GROUP, EXIT_INTERNAL, 0, 0);
}

static struct start read_start(uintptr_t *stack)
{
	struct start start = {.argc = stack[0], .argv = stack + 1};
	start.environment = start.argv + start.argc + 1;
	uintptr_t *word = start.environment;
	while (*word)
		word++;
	start.auxiliary = ++word;
	while (*word)
		word += 2;
	start.auxiliary_words = (size_t)(word + 2 - start.auxiliary);
	return start;
}

static int begins_with(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return 0;
	return 1;
}

static int is_runtime_setting(const char *variable)
{
	for (size_t i = 0; i < sizeof runtime_prefixes / sizeof runtime_prefixes[0]; i++)
		if (begins_with(variable, runtime_prefixes[i]))
			return 1;
	return 0;
}

/* In place, because the C library's environ points at this very array. */
static void clean_environment(uintptr_t *environment)
{
	uintptr_t *kept = environment;
	for (uintptr_t *variable = environment; *variable; variable++)
		if (!is_runtime_setting((const char *)*variable))
			*kept++ = *variable;
	*kept = 0;
}

static void set_environment(void)
{
	typedef int setenv_function(const char *, const char *, int);
	setenv_function *set = *(setenv_function *const *)at_distance(stub_header.setenv_distance);
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		if (set(settings[i].name, settings[i].value, 1) != 0) {
			static const char message[] = "portsnare: cannot set the environment: out of memory\n";
			give_up(message, sizeof message - 1);
		}
	}
}

/* A memory file with the program in it, closed in the commands that the daemon starts. */
static long open_program(void)
{
	static const char name[] = "portsnare";
	/* With vm.memfd_noexec=2 the kernel refuses memory files that may be executed; before 6.3 it has no such flag. */
	long file = system_call(SYS_MEMFD_CREATE, (long)name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0);
	if (file == -EINVAL)
		file = system_call(SYS_MEMFD_CREATE, (long)name, MFD_CLOEXEC, 0);
	const char *next = at_distance(stub_header.program_distance);
	uint64_t left = stub_header.program_size;
	long written = 1;
	while (file >= 0 && left > 0 && (written > 0 || written == -EINTR)) {
		written = system_call(SYS_WRITE, file, (long)next, (long)left);
		if (written > 0) {
			next += written;
			left -= (uint64_t)written;
		}
	}
	if (file < 0 || left > 0) {
		static const char message[] = "portsnare: cannot put the program into a memory file (memfd_create)\n";
		give_up(message, sizeof message - 1);
	}
	return file;
}

static void write_path(char *path, long file)
{
	char digits[FD_DIGITS];
	size_t count = 0;
	for (const char *from = FD_PATH; *from; from++)
		*path++ = *from;
	do
		digits[count++] = (char)('0' + file % 10);
	while ((file /= 10) > 0);
	while (count > 0)
		*path++ = digits[--count];
	*path = 0;
}

/* How many words stub_fill_vector() needs: never fewer, though cleaning the environment may save some. */
size_t stub_vector_words(uintptr_t *stack)
{
	struct start start = read_start(stack);
	size_t environment_words = (size_t)(start.auxiliary - start.environment);
	return 1 + stub_header.arguments_count + 1 + start.argc + 1 + environment_words + start.auxiliary_words + PATH_WORDS;
}

/* argc, then: the runtime's arguments, the program's path, the caller's arguments, 0, environment, 0, auxiliary vector. */
void stub_fill_vector(uintptr_t *stack, uintptr_t *vector)
{
	struct start start = read_start(stack);
	char *path = (char *)(vector + stub_vector_words(stack) - PATH_WORDS);
	write_path(path, open_program());
	clean_environment(start.environment);

	uintptr_t *next = vector + 1;
	const char *argument = at_distance(stub_header.arguments_distance);
	for (uint64_t i = 0; i < stub_header.arguments_count; i++) {
		*next++ = (uintptr_t)argument;
		while (*argument++)
			;
	}
	*next++ = (uintptr_t)path;
	for (size_t i = 1; i < start.argc; i++)
		*next++ = start.argv[i];
	*vector = (uintptr_t)(next - vector - 1);
	*next++ = 0;
	for (uintptr_t *variable = start.environment; *variable; variable++)
		*next++ = *variable;
	*next++ = 0;
	for (size_t i = 0; i < start.auxiliary_words; i++)
		*next++ = start.auxiliary[i];

	set_environment();
}
