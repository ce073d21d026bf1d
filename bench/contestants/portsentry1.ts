/**
 * PortSentry 1.2 of Debian 12 in advanced mode: its stock configuration, made to block with iptables.
 * @module
 */
import type { Contestant } from "./contestant.ts";
import { debianTree, packageVersion } from "./debian_tree.ts";
import { startPortSentry } from "./portsentry.ts";

const CONFIG = "/etc/portsentry/portsentry.conf";
const IGNORE = "/etc/portsentry/portsentry.ignore";
const PROGRAM = "/usr/sbin/portsentry";

/** What an administrator changes to have scanners blocked. */
const CHANGES: readonly (readonly [RegExp, string])[] = [
  [/^BLOCK_UDP="0"$/m, 'BLOCK_UDP="1"'],
  [/^BLOCK_TCP="0"$/m, 'BLOCK_TCP="1"'],
  [/^KILL_ROUTE=.*$/m, 'KILL_ROUTE="/sbin/iptables -I INPUT -s $$TARGET$$ -j DROP"'],
];

const tree = (): Promise<string> => debianTree("bookworm", ["portsentry", "iptables"]);

/** The PortSentry that most hosts have. */
export const portsentry1: Contestant = {
  name: "PortSentry 1.2",
  version: async () => await packageVersion(await tree(), "portsentry"),
  diskBytes: async () => (await Deno.stat(`${await tree()}${PROGRAM}`)).size,
  async start(host) {
    const root = await tree();
    return await startPortSentry(host, {
      tree: root,
      files: {
        [CONFIG]: changed(await Deno.readTextFile(`${root}${CONFIG}`)),
        // Made by its init script on a real host.
        [IGNORE]: "127.0.0.1/32\n0.0.0.0\n",
        "/etc/hosts.deny": "",
      },
      argv: ["/bin/sh", "-c", `${PROGRAM} -atcp && ${PROGRAM} -audp`],
      daemons: 2,
    });
  },
};

function changed(config: string): string {
  return CHANGES.reduce((text, [line, replacement]) => {
    if (!line.test(text)) throw new Error(`PortSentry's configuration has no line ${line}`);
    return text.replace(line, replacement);
  }, config);
}
