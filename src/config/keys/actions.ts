/**
 * The section `[actions]`: what is done with a scanner.
 * @module
 */
import { boolean, enum as oneOf, string } from "zod";
import { DURATION_FORM } from "../duration.ts";
import { key, type Keys, unset } from "../key.ts";
import { type Command, command, duration } from "../value.ts";

/** The section `[actions]`. */
export interface ActionsConfig {
  /** What enforces a ban. */
  readonly firewall: "nftables" | "iptables" | "route" | "none";
  /** Run at each ban. */
  readonly kill_route?: Command | undefined;
  /** The line that a ban writes to hosts.deny. */
  readonly kill_hosts_deny?: string | undefined;
  /** Run at each ban, and alone with `response = "command"`. */
  readonly kill_run_cmd?: Command | undefined;
  /** Whether `kill_run_cmd` comes before the other actions. */
  readonly kill_run_cmd_first: boolean;
  /** Run when a ban ends. */
  readonly unblock_cmd?: Command | undefined;
  /** How long a command may take, in seconds. */
  readonly timeout: number;
  /** Sent to whoever reaches a trap in mode connect. */
  readonly port_banner?: string | undefined;
}

/** The keys of `[actions]`. */
export const ACTIONS_KEYS: Keys<ActionsConfig> = {
  firewall: key({
    check: oneOf(["nftables", "iptables", "route", "none"]),
    default: "nftables",
    form: '"nftables", "iptables", "route" or "none"',
    help: "What enforces a ban. iptables: a chain of our own, with ipset where it is installed. route: a " +
      "blackhole route.",
  }),
  kill_route: unset({
    check: command(),
    form: "a command line, or an array of a program and its arguments",
    help:
      "Run at each ban. $TARGET$, $PORT$ and $MODE$ are filled in. A string runs through /bin/sh -c, an " +
      "array without a shell.",
    portsentry: "KILL_ROUTE",
  }),
  kill_hosts_deny: unset({
    check: string().min(1).max(1024).regex(/^[^\r\n\0]*$/),
    form: "one line of hosts.deny",
    help: 'Written to hosts.deny at each ban and removed when it ends, such as "ALL: $TARGET$ : DENY".',
    portsentry: "KILL_HOSTS_DENY",
  }),
  kill_run_cmd: unset({
    check: command(),
    form: "a command line, or an array of a program and its arguments",
    help: 'Run at each ban, and the only thing that is done with response = "command".',
    portsentry: "KILL_RUN_CMD",
  }),
  kill_run_cmd_first: key({
    check: boolean(),
    default: false,
    form: "true or false",
    help: "Whether `kill_run_cmd` runs before the other actions.",
    portsentry: "KILL_RUN_CMD_FIRST",
  }),
  unblock_cmd: unset({
    check: command(),
    form: "a command line, or an array of a program and its arguments",
    help:
      "Run when a ban ends, to undo what `kill_route` did. When unset, the opposite of `kill_route` is run where " +
      "that is certain (plain commands of iptables, route and ip); what another one did stays, which is told.",
  }),
  timeout: key({
    check: duration({ min: 1 }),
    default: "10s",
    form: DURATION_FORM,
    help: "A command that runs longer is ended and counts as failed.",
  }),
  port_banner: unset({
    check: string().max(1024),
    form: "text",
    help: "Sent to whoever reaches a trap in mode connect.",
    portsentry: "PORT_BANNER",
  }),
};
