/**
 * What an honest client does, and whether it gets an answer.
 * @module
 */
import { DENO } from "./deno.ts";
import { type Host, until } from "./lab.ts";

/** Start the services of a host and wait until they listen: TCP ports, and what services.ts knows besides. */
export async function serve(host: Host, ...ports: readonly (number | string)[]): Promise<Deno.ChildProcess> {
  const script = new URL("./services.ts", import.meta.url).pathname;
  const asked = ports.map(String);
  const child = host.spawn([DENO, "run", "-A", "--cached-only", script, ...asked]);
  const numbers = (udp: boolean) =>
    asked.filter((port) => port.includes("udp:") === udp).map((port) => port.replace(/^.*:/, ""));
  await until("the services listen", async () => {
    const [streams, datagrams] = [await host.out(["ss", "-Hltn"]), await host.out(["ss", "-Hlun"])];
    return numbers(false).every((port) => streams.includes(`:${port} `)) &&
      numbers(true).every((port) => datagrams.includes(`:${port} `));
  });
  return child;
}

/** Whether a TCP connection to this address and port is answered within a second. */
export async function reaches(host: Host, address: string, port: number): Promise<boolean> {
  const result = await host.run(["nc", "-n", "-z", "-w", "1", address, String(port)]);
  return result.code === 0;
}

/** The TCP ports that nmap reports open. */
export async function openPorts(host: Host, argv: readonly string[]): Promise<readonly number[]> {
  const out = await host.out(["nmap", "-n", "-Pn", "-oG", "-", ...argv], { seconds: 240 });
  return [...out.matchAll(/(\d+)\/open\/tcp/g)].map((match) => Number(match[1]));
}
