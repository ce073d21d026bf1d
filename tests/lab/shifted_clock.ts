/**
 * A wall clock that a test sets for one process and its children, as date(1) would set it for the whole machine.
 *
 * The boot clock, which the daemon asks the kernel for by itself, goes on as it is.
 * @module
 */
import { run } from "./lab.ts";

/** Puts itself before the C library's clocks and adds what stands in the file that CLOCK_SHIFT names. */
const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *map = fd < 0 ? MAP_FAILED : mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) shift = map;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, time);
  if (result == 0 && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += *shift;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (time) *time = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
  return 0;
}
`;

/** The clock of a daemon that is started with {@link ShiftedClock.env}. */
export class ShiftedClock implements AsyncDisposable {
  /** For the process whose clock it is to be. */
  readonly env: Readonly<Record<string, string>>;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.env = { LD_PRELOAD: `${directory}/shim.so`, CLOCK_SHIFT: `${directory}/shift` };
  }

  /** A clock that is right. Needs gcc. */
  static async create(): Promise<ShiftedClock> {
    const directory = await Deno.makeTempDir({ prefix: "portsnare-clock-" });
    const clock = new ShiftedClock(directory);
    clock.set(0);
    await Deno.writeTextFile(`${directory}/shim.c`, SHIM);
    const made = await run([
      "gcc",
      "-shared",
      "-fPIC",
      "-O1",
      "-o",
      `${directory}/shim.so`,
      `${directory}/shim.c`,
    ]);
    if (made.code !== 0) throw new Error(`gcc: ${made.stderr}`);
    return clock;
  }

  /** Let the clock be so many seconds ahead of the true time; behind it when negative. */
  set(seconds: number): void {
    // Written in place: the process has it mapped.
    using file = Deno.openSync(`${this.#directory}/shift`, { write: true, create: true });
    file.writeSync(new Uint8Array(new BigInt64Array([BigInt(seconds)]).buffer));
  }

  /** Remove its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
