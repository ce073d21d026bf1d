/**
 * Which backend enforces bans, by `actions.firewall`.
 * @module
 */
import type { Exec } from "../system/exec.ts";
import type { Backend } from "./backend.ts";
import { IptablesBackend } from "./iptables.ts";
import { NoBackend } from "./none.ts";
import { RouteBackend } from "./route.ts";

/** What backends are made from. */
export interface BackendParts {
  /** Starts programs. */
  readonly exec: Exec;
  /** Makes the nftables backend, which needs netlink sockets. */
  readonly nftables: () => Backend;
  /** Whether the kernel speaks IPv6. */
  readonly hasIpv6: () => boolean;
}

/** The backend for a value of `actions.firewall`. */
export function selectBackend(
  firewall: "nftables" | "iptables" | "route" | "none",
  parts: BackendParts,
): Backend {
  switch (firewall) {
    case "nftables":
      return parts.nftables();
    case "iptables":
      return new IptablesBackend({ exec: parts.exec, hasIpv6: parts.hasIpv6 });
    case "route":
      return new RouteBackend({ exec: parts.exec });
    case "none":
      return new NoBackend();
  }
}
