/** Starts the kernel engine in a process of its own, and ends as the daemon would: for what needs another process. */
import { KernelEngine } from "../../src/capture/kernel_engine.ts";
import { messageOf, UserError } from "../../src/errors.ts";
import { Collector } from "./collector.ts";

try {
  await new KernelEngine({ sink: new Collector() }).start();
} catch (error) {
  console.error(messageOf(error));
  Deno.exit(error instanceof UserError ? error.exitCode : 70);
}
