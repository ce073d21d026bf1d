/**
 * The Debian packages of what the administrator's commands use.
 * @module
 */

const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["nft", "nftables"],
  ["iptables", "iptables"],
  ["ip6tables", "iptables"],
  ["ipset", "ipset"],
  ["ip", "iproute2"],
  ["route", "net-tools"],
  ["mail", "bsd-mailx"],
  ["conntrack", "conntrack"],
]);

/** What belongs to xtables-addons rather than to iptables, where it is a target or match of a rule. */
const ADDON =
  /\s(?:-j|--jump|-m|--match)\s+(CHAOS|TARPIT|DELUDE|DNETMAP|ECHO|IPMARK|LOGMARK|SYSRQ|ACCOUNT|geoip|psd|lscan)\b/;

/** The packages of xtables-addons: the modules of the kernel and what iptables knows them by. */
export const ADDON_PACKAGES = "xtables-addons-dkms and xtables-addons-common";

/** The package that puts a program where it is looked for; `undefined` when none is known to. */
export function packageOf(program: string): string | undefined {
  return PACKAGES.get(program.replace(/^(?:\/usr)?\/s?bin\//, ""));
}

/** The target or match of xtables-addons that an iptables command uses, if it uses any. */
export function addonIn(command: string): string | undefined {
  return ADDON.exec(command)?.[1];
}
