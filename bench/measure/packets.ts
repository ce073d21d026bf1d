/**
 * How many packets a host of the lab got and sent.
 * @module
 */
import type { Host } from "../../tests/lab/lab.ts";

/** Counted as the kernel handles them: what is put together from many segments (GRO), or not yet cut (TSO), is one. */
export interface Packets {
  /** Came in. */
  readonly in: number;
  /** Went out. */
  readonly out: number;
}

/** Since the host was made. @throws {Error} When it has no interface. */
export function packetsOf(host: Host): Packets {
  const text = host.inside(() => Deno.readTextFileSync("/proc/thread-self/net/dev"));
  // proc_pid_net(5): eight numbers of what was received, of which the second is packets, then the same of what was sent.
  const fields = /^\s*eth0:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/).map(Number) ?? [];
  const [came, went] = [fields[1], fields[9]];
  if (came === undefined || went === undefined) throw new Error("/proc/net/dev has no eth0");
  return { in: came, out: went };
}

/** What came and went between two looks. */
export function packetsBetween(before: Packets, after: Packets): Packets {
  return { in: after.in - before.in, out: after.out - before.out };
}
