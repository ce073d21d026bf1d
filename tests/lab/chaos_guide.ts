/**
 * What the guide "Debian11, Server, Portsentry to block port scans" and its French twin say to do:
 * advanced modes, blocking by iptables' CHAOS target and TCP wrappers, exceptions.
 * @module
 */
import { LAN_ADDRESS } from "./besieged.ts";
import type { Machine } from "./machine.ts";

const MODES = String.raw`
sed -i 's/TCP_MODE="tcp"/TCP_MODE="atcp"/' /etc/default/portsentry
sed -i 's/UDP_MODE="udp"/UDP_MODE="audp"/' /etc/default/portsentry
`;

const BLOCKING = String.raw`
sed -i 's/BLOCK_UDP="0"/BLOCK_UDP="1"/' /etc/portsentry/portsentry.conf
sed -i 's/BLOCK_TCP="0"/BLOCK_TCP="1"/' /etc/portsentry/portsentry.conf
sed -i 's/RESOLVE_HOST = "0"/RESOLVE_HOST = "1"/' /etc/portsentry/portsentry.conf
sed -i 's/^KILL_ROUTE/#&/' /etc/portsentry/portsentry.conf
sed -i 's/^#\?KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j DROP"/KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j CHAOS"/' /etc/portsentry/portsentry.conf
`;

const WHITELIST = String.raw`
echo "ALL: $LAN_IP/$LAN_NM" >> /etc/hosts.allow
echo "$LAN_IP/$LAN_NM" >> /etc/portsentry/portsentry.ignore.static
`;

/** Do all that the guide says, the address of the server's network as its owner may have written it. */
export async function recipe(
  machine: Machine,
  lan: { readonly mask: string } = { mask: "24" },
): Promise<void> {
  await machine.sh(MODES);
  await machine.sh(BLOCKING);
  await machine.sh(`LAN_IP=${LAN_ADDRESS} LAN_NM=${lan.mask}\n${WHITELIST}`);
}
