/**
 * Reads service names as in services(5), so that ports can be written by name.
 * @module
 */
import type { ServicePort } from "./value.ts";

/** Where Debian's package netbase puts the file. */
const SERVICES_FILE = "/etc/services";

/** A file of services(5) that is longer than this is cut: the one of Debian has 13 kB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The lookup for a services file. A file that is missing or unreadable knows no names. */
export async function loadServices(path: string = SERVICES_FILE): Promise<ServicePort> {
  try {
    const bytes = await Deno.readFile(path);
    return parseServices(new TextDecoder().decode(bytes.subarray(0, MAX_BYTES)));
  } catch (error) {
    // Names are a convenience. Whoever uses one without this file is told that the name is not in it.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return () => undefined;
    }
    throw error;
  }
}

/** The lookup for the text of a services file. The first line that names a service counts, as in getservbyname(3). */
export function parseServices(text: string): ServicePort {
  const ports = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, port, ...aliases] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/);
    const match = /^(\d{1,5})\/(tcp|udp)$/.exec(port ?? "");
    const number = Number(match?.[1]);
    if (match === null || number > 65535) continue;
    for (const alias of [name ?? "", ...aliases]) {
      const key = `${alias}/${match[2]}`;
      if (!ports.has(key)) ports.set(key, number);
    }
  }
  return (name, protocol) => ports.get(`${name}/${protocol}`);
}
