/**
 * The runtime that tests start their child processes with.
 * @module
 */

/** The path of the Deno that runs this test. */
export const DENO = Deno.execPath();
