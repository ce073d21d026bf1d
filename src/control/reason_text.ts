/**
 * The reasons of decisions, in words.
 * @module
 */
import type { BanReason } from "../record/state/ban.ts";

/** Why something was decided, for people. `ports`: how many distinct ports led to it. */
export function reasonText(reason: BanReason, ports: number): string {
  switch (reason) {
    case "ignore-list":
      return "on the ignore list";
    case "own-address":
      return "an address of this host";
    case "gateway":
      return "a default gateway of this host";
    case "resolver":
      return "a name server that this host uses";
    case "session":
      return "the peer of an established session";
    case "already-blocked":
      return "already blocked";
    case "below-trigger":
      return `${ports} of the ports that make a scan`;
    case "repeated-port":
      return "asked for a port again";
    case "observe-only":
      return "the configuration says to observe only";
    case "distinct-ports":
      return `probed ${ports} different ports`;
    case "probe-count":
      return "probed as often as the trigger allows";
    case "first-probe":
      return "probed a trapped port";
    case "manual":
      return "blocked by hand";
  }
}
