/**
 * The section `[files]`: where things are kept.
 * @module
 */
import { DURATION_FORM } from "../duration.ts";
import { key, type Keys, unset } from "../key.ts";
import { duration, path } from "../value.ts";

/** The section `[files]`. */
export interface FilesConfig {
  /** The history that fail2ban reads. */
  readonly history: string;
  /** The list of bans in force, in PortSentry's form. */
  readonly blocked?: string | undefined;
  /** The database. */
  readonly state: string;
  /** The file that `kill_hosts_deny` is written to. */
  readonly hosts_deny: string;
  /** The control socket. */
  readonly control_socket: string;
  /** How long ended bans are remembered, in seconds. */
  readonly keep: number;
}

const PATH_FORM = "the absolute path of a file";

/** The keys of `[files]`. */
export const FILES_KEYS: Keys<FilesConfig> = {
  history: key({
    check: path(),
    default: "/var/lib/portsentry/portsentry.history",
    form: PATH_FORM,
    help: "One line for each ban, in PortSentry's form, for fail2ban.",
    portsentry: "HISTORY_FILE",
  }),
  blocked: unset({
    check: path(),
    form: PATH_FORM,
    help: "One line for each ban in force, in PortSentry's form, for scripts that read it.",
    portsentry: "BLOCKED_FILE",
  }),
  state: key({
    check: path(),
    default: "/var/lib/portsnare/portsnare.db",
    form: PATH_FORM,
    help: "The database of bans and offences.",
    needsRestart: true,
  }),
  hosts_deny: key({
    check: path(),
    default: "/etc/hosts.deny",
    form: PATH_FORM,
    help: "The file that `kill_hosts_deny` is written to.",
  }),
  control_socket: key({
    check: path(),
    default: "/run/portsnare/control.sock",
    form: PATH_FORM,
    help: "Where the daemon listens for status, list, block, unblock and reload.",
    needsRestart: true,
  }),
  keep: key({
    check: duration({ min: 3600 }),
    default: "13w",
    form: DURATION_FORM,
    help: "How long ended bans are remembered, for `why` and repeat offenders.",
  }),
};
