/**
 * Begins the daemon's process again with no more of root's powers than it needs.
 *
 * Under systemd the unit has done this already, and nothing is left to do here.
 * @module
 */
import { messageOf } from "../errors.ts";
import { dropFromBoundingSet, execute, setNoNewPrivileges } from "../ffi/privileges.ts";

/** Numbers of linux/capability.h. */
const CAP = { setPcap: 8, netBindService: 10, netAdmin: 12, netRaw: 13, sysAdmin: 21 } as const;

/**
 * What the daemon needs: raw and netlink sockets and the firewall; ports below 1024, because a reload may turn mode
 * connect on. The same as CapabilityBoundingSet= in the unit. Root's files are written as their owner.
 */
export const NEEDED: readonly number[] = [CAP.netBindService, CAP.netAdmin, CAP.netRaw];

/** The numbers in a set as /proc/PID/status writes it (proc(5): CapBnd, CapEff), such as `000001ffffffffff`. */
export function capabilitiesIn(status: string, name: string): readonly number[] {
  const mask = new RegExp(`^${name}:\\s*([0-9a-f]{16})$`, "m").exec(status)?.[1];
  if (mask === undefined) return [];
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, number) => number).filter((number) =>
    (bits >> BigInt(number)) % 2n === 1n
  );
}

/** Whether this process may do what a capability allows, by its name in capabilities(7). */
export function hasCapability(name: "CAP_NET_ADMIN" | "CAP_NET_RAW"): boolean {
  const number = name === "CAP_NET_ADMIN" ? CAP.netAdmin : CAP.netRaw;
  return capabilitiesIn(Deno.readTextFileSync("/proc/thread-self/status"), "CapEff").includes(number);
}

/** Whether commands that this process starts get less than all of root's powers. */
export function isConfined(): boolean {
  return !capabilitiesIn(Deno.readTextFileSync("/proc/thread-self/status"), "CapBnd").includes(CAP.sysAdmin);
}

/**
 * Give up everything that is not {@link NEEDED}. Does not return when there was something to give up: the process
 * begins again, and then there is not.
 *
 * @returns Why it could not be done, for the log; `undefined` when there is nothing to say.
 */
export function confine(): string | undefined {
  const status = Deno.readTextFileSync("/proc/thread-self/status");
  const surplus = capabilitiesIn(status, "CapBnd").filter((number) => !NEEDED.includes(number));
  // Without CAP_SETPCAP nothing can be given up: somebody has confined us already, or we are not root.
  if (surplus.length === 0 || !capabilitiesIn(status, "CapEff").includes(CAP.setPcap)) return undefined;
  try {
    const argv = Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(0, -1);
    for (const number of surplus) dropFromBoundingSet(number);
    setNoNewPrivileges();
    return execute(Deno.execPath(), { argv, env: Deno.env.toObject() });
  } catch (error) {
    return `The daemon keeps all of root's capabilities: ${messageOf(error)}`;
  }
}
