/** Loads the default ruleset in a process of its own, and ends as the daemon would: for what needs another process. */
import { messageOf, UserError } from "../../src/errors.ts";
import { backendFor, blocking } from "./trap.ts";

try {
  await backendFor(blocking()).setup();
} catch (error) {
  console.error(messageOf(error));
  Deno.exit(error instanceof UserError ? error.exitCode : 70);
}
