/**
 * The symbol table: every C function that portsnare calls, with its declaration.
 *
 * Nothing outside this folder imports this file. glibc's `libc.so.6` is there on every Debian.
 * @module
 */

/**
 * The one library, opened once and never closed: it is part of the process anyway.
 *
 * @internal Nothing outside this folder imports it.
 */
export const libc = Deno.dlopen(
  "libc.so.6",
  {
    __errno_location: { parameters: [], result: "pointer" },
    socket: {
      parameters: ["i32", /* int domain */ "i32", /* int type */ "i32" /* int protocol */],
      result: "i32",
    },
    bind: {
      parameters: ["i32", /* int fd */ "buffer", /* const struct sockaddr *addr */ "u32" /* socklen_t len */],
      result: "i32",
    },
    setsockopt: {
      parameters: [
        "i32", /* int fd */
        "i32", /* int level */
        "i32", /* int optname */
        "buffer", /* const void *optval */
        "u32", /* socklen_t optlen */
      ],
      result: "i32",
    },
    getsockopt: {
      parameters: [
        "i32", /* int fd */
        "i32", /* int level */
        "i32", /* int optname */
        "buffer", /* void *optval */
        "buffer", /* socklen_t *optlen */
      ],
      result: "i32",
    },
    getsockname: {
      parameters: ["i32", /* int fd */ "buffer", /* struct sockaddr *addr */ "buffer" /* socklen_t *len */],
      result: "i32",
    },
    listen: { parameters: ["i32", /* int fd */ "i32" /* int backlog */], result: "i32" },
    accept4: {
      parameters: [
        "i32", /* int fd */
        "buffer", /* struct sockaddr *addr */
        "buffer", /* socklen_t *addr_len */
        "i32", /* int flags */
      ],
      result: "i32",
    },
    recvmsg: {
      parameters: ["i32", /* int fd */ "buffer", /* struct msghdr *message */ "i32" /* int flags */],
      result: "isize",
    },
    getrlimit: {
      parameters: ["i32", /* int resource */ "buffer" /* struct rlimit *rlimits */],
      result: "i32",
    },
    close: { parameters: ["i32" /* int fd */], result: "i32" },
    send: {
      parameters: [
        "i32", /* int fd */
        "buffer", /* const void *buf */
        "usize", /* size_t len */
        "i32", /* int flags */
      ],
      result: "isize",
    },
    sendto: {
      parameters: [
        "i32", /* int fd */
        "buffer", /* const void *buf */
        "usize", /* size_t len */
        "i32", /* int flags */
        "buffer", /* const struct sockaddr *addr */
        "u32", /* socklen_t addr_len */
      ],
      result: "isize",
    },
    recv: {
      parameters: [
        "i32", /* int fd */
        "buffer", /* void *buf */
        "usize", /* size_t len */
        "i32", /* int flags */
      ],
      result: "isize",
    },
    write: {
      parameters: ["i32", /* int fd */ "buffer", /* const void *buf */ "usize" /* size_t count */],
      result: "isize",
    },
    eventfd: { parameters: ["u32", /* unsigned initval */ "i32" /* int flags */], result: "i32" },
    poll: {
      name: "poll",
      parameters: ["buffer", /* struct pollfd *fds */ "u64", /* nfds_t nfds */ "i32" /* int timeout, ms */],
      result: "i32",
      // On a thread of its own: errno is another thread's afterwards and must not be read.
      nonblocking: true,
    },
    mmap: {
      parameters: [
        "pointer", /* void *addr */
        "usize", /* size_t length */
        "i32", /* int prot */
        "i32", /* int flags */
        "i32", /* int fd */
        "i64", /* off_t offset */
      ],
      result: "pointer",
    },
    mallopt: { parameters: ["i32", /* int param */ "i32" /* int value */], result: "i32" },
    malloc_trim: { parameters: ["usize" /* size_t pad */], result: "i32" },
    munmap: { parameters: ["pointer", /* void *addr */ "usize" /* size_t length */], result: "i32" },
    clock_gettime: {
      parameters: ["i32", /* clockid_t clk_id */ "buffer" /* struct timespec *tp */],
      result: "i32",
    },
    // Variadic in C, like open below.
    prctl: {
      parameters: [
        "i32", /* int op */
        "u64", /* unsigned long arg2 */
        "u64", /* unsigned long arg3 */
        "u64", /* unsigned long arg4 */
        "u64", /* unsigned long arg5 */
      ],
      result: "i32",
    },
    execve: {
      parameters: [
        "buffer", /* const char *pathname */
        "buffer", /* char *const argv[] */
        "buffer", /* char *const envp[] */
      ],
      result: "i32",
    },
    // Variadic in C; integers are passed the same way on x86-64 and arm64.
    open: {
      parameters: ["buffer", /* const char *pathname */ "i32", /* int flags */ "u32" /* mode_t mode */],
      result: "i32",
    },
    fcntl: { parameters: ["i32", /* int fd */ "i32", /* int op */ "i32" /* int arg */], result: "i32" },
    read: {
      parameters: ["i32", /* int fd */ "buffer", /* void *buf */ "usize" /* size_t count */],
      result: "isize",
    },
    lseek: {
      parameters: ["i32", /* int fd */ "i64", /* off_t offset */ "i32" /* int whence */],
      result: "i64",
    },
    ftruncate: { parameters: ["i32", /* int fd */ "i64" /* off_t length */], result: "i32" },
  } as const satisfies Deno.ForeignLibraryInterface,
).symbols;
