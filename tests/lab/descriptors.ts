/**
 * Counting descriptors: the test runner's own check does not see those that FFI opens.
 * @module
 */

/** What each descriptor of this process is open on, sorted. */
export function openDescriptors(): readonly string[] {
  const open: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      open.push(Deno.readLinkSync(`/proc/self/fd/${name}`).replace(/\d+/g, "N"));
    } catch {
      // The descriptor that the directory was read through.
    }
  }
  return open.sort();
}
