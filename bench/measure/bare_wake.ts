/**
 * What the runtime itself costs: the processor time of being woken by the clock, in a process that does nothing else.
 * @module
 */
import { DENO } from "../../tests/lab/deno.ts";

/** As often as the kernel engine reads while packets are many. */
const INTERVAL_MS = 25;
const TIMES = 120;
const SCRIPT = `
import { cpuUsage } from "node:process";
const before = cpuUsage();
for (let i = 0; i < ${TIMES}; i++) await new Promise((resolve) => setTimeout(resolve, ${INTERVAL_MS}));
const { user, system } = cpuUsage(before);
console.log((user + system) / ${TIMES});
`;

/** Microseconds for each time. @throws {Error} When the process says no number. */
export async function bareWakeMicroseconds(): Promise<number> {
  const { stdout } = await new Deno.Command(DENO, { args: ["eval", SCRIPT], stdin: "null" }).output();
  const text = new TextDecoder().decode(stdout).trim();
  if (!/^[\d.]+$/.test(text)) throw new Error(`A bare process of the runtime measured nothing: ${text}`);
  return Number(text);
}
