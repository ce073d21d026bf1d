/**
 * Runs the comparison so that it leaves nothing behind, however it ends.
 *
 *     make bench ARGS="[--case NAME]... [--rounds N] [--quick]"
 *
 * `compare.ts` does the work; see there what the arguments mean.
 * @module
 */
import { enclosed } from "./enclosure.ts";

const COMPARE = new URL("./compare.ts", import.meta.url).pathname;

Deno.exitCode = await enclosed([Deno.execPath(), "run", "--frozen", "-A", COMPARE, ...Deno.args]);
