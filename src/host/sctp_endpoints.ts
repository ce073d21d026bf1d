/**
 * /proc/net/sctp/eps as a value: the SCTP endpoints of this host, where the kernel offers no sock_diag for SCTP.
 * @module
 */
import { type Address, isLoopback, isUnspecified, parseAddress } from "../net/address.ts";
import type { Listener } from "../net/listener.ts";

/** Lines beyond this are not read. */
const MAX_LINES = 4096;
/** SCTP_SS_LISTENING of net/sctp/structs.h, which is TCP_LISTEN. */
const LISTENING = 10;

/**
 * The listening endpoints in the text of /proc/net/sctp/eps (net/sctp/proc.c): a heading, then
 * `endpoint socket style state bucket port uid inode addresses…`. A line that is anything else is passed over.
 */
export function parseSctpEndpoints(text: string): readonly Listener[] {
  const listeners: Listener[] = [];
  for (const line of text.split("\n", MAX_LINES).slice(1)) {
    const [, , , state, , port, , , ...addresses] = line.trim().split(/\s+/, 64);
    if (Number(state) !== LISTENING || port === undefined || !/^\d{1,5}$/.test(port)) continue;
    const number = Number(port);
    if (number === 0 || number > 65535) continue;
    for (const address of addresses.map(parseAddress)) {
      if (address !== undefined) listeners.push(sctpListener(number, address));
    }
  }
  return listeners;
}

/** A listening SCTP endpoint on one of the addresses it is bound to, which may be the unspecified one. */
export function sctpListener(port: number, address: Address): Listener {
  return {
    protocol: "sctp",
    address: isUnspecified(address) ? undefined : address,
    port,
    loopback: isLoopback(address),
  };
}
