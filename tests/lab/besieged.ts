/**
 * The scene of the PortSentry guides: a server with PortSentry's files, its own network, and strangers outside.
 * @module
 */
import { serve } from "./clients.ts";
import { type Host, Lab } from "./lab.ts";
import { Machine } from "./machine.ts";

/** The server's address in its own network, where its friends are. */
export const LAN_ADDRESS = "10.77.0.1";

/** The server's address towards the strangers. */
export const PUBLIC_ADDRESS = "203.0.113.1";

/** A port of the server behind which a real service answers. */
export const SERVICE_PORT = 8080;

/** Who is there. */
export interface Besieged {
  /** The lab, for more hosts. */
  readonly lab: Lab;
  /** The server. */
  readonly machine: Machine;
  /** A host of the server's own network, 10.77.0.2. */
  readonly friend: Host;
  /** A host outside with the address {@link Besieged.scannerAddress}. */
  readonly scanner: Host;
  /** The address that the scanner's packets come from when it asks {@link PUBLIC_ADDRESS}. */
  readonly scannerAddress: string;
}

/** Build the scene, play `body` in it, and take it down. */
export async function besieged(body: (scene: Besieged) => Promise<void>): Promise<void> {
  await using lab = await Lab.create();
  const server = await lab.host();
  await address(server, `${PUBLIC_ADDRESS}/24`);
  const [friend, scanner] = [await lab.host(), await lab.host()];
  const scannerAddress = "203.0.113.9";
  await address(scanner, `${scannerAddress}/24`);
  await serve(server, SERVICE_PORT);
  await using machine = await Machine.withPortsentry(server);
  await body({ lab, machine, friend, scanner, scannerAddress });
}

/** Give a host one more address on its interface. */
export async function address(host: Host, text: string): Promise<void> {
  await host.out(["ip", "address", "add", text, "dev", host.interface]);
}

/** Scan TCP ports as a stranger does: `-sS`, no ping, no names, no second tries. */
export async function scan(from: Host, ports: string, to = PUBLIC_ADDRESS): Promise<void> {
  await from.out(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sS", "-p", ports, to]);
}

/** Send one UDP datagram to each of these ports. */
export async function scanUdp(from: Host, ports: string, to = PUBLIC_ADDRESS): Promise<void> {
  await from.out(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sU", "-p", ports, to]);
}
