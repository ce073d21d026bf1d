/**
 * The kernel's tables of addresses and routes, read whole, as far as they say who this host is and who its gateways are.
 * @module
 */
import type { Family } from "../net/address.ts";
import { AddressMap } from "./address_map.ts";
import type { DumpEnd, NetlinkExchange } from "./netlink_exchange.ts";
import { dumpRequest, readDefaultGateways, readInterfaceAddress, RTM } from "./rtnetlink.ts";

/** Addresses and gateways beyond this many are not followed; a host with more is a router for addresses not its own. */
const MAX_ADDRESSES = 16384;
/**
 * Routes read of each family. The default route of a table comes first in it, so that a router with the whole Internet in
 * its tables does not hold us up.
 */
const MAX_ROUTES = 20000;
/** How often a dump that changed under way is begun again. */
const ATTEMPTS = 3;

/** The tables at one moment. */
export interface RouteSnapshot {
  /** The addresses of all interfaces. */
  readonly addresses: AddressMap<true>;
  /** The gateways of all default routes. */
  readonly gateways: AddressMap<true>;
}

/**
 * Read the tables.
 *
 * @throws {SyscallError} When the kernel does not answer.
 */
export function readSnapshot(exchange: NetlinkExchange): RouteSnapshot {
  for (let attempt = 1;; attempt++) {
    const snapshot = {
      addresses: new AddressMap<true>(),
      gateways: new AddressMap<true>(),
    };
    const ends = ([4, 6] as const).flatMap((family) => [
      readAddresses(exchange, { family, snapshot }),
      readGateways(exchange, { family, snapshot }),
    ]);
    if (attempt === ATTEMPTS || !ends.includes("interrupted")) return snapshot;
  }
}

/** Whether two snapshots say the same. */
export function sameSnapshot(a: RouteSnapshot, b: RouteSnapshot): boolean {
  return sameAddresses(a.addresses, b.addresses) && sameAddresses(a.gateways, b.gateways);
}

interface Reading {
  readonly family: Family;
  readonly snapshot: RouteSnapshot;
}

function readAddresses(exchange: NetlinkExchange, { family, snapshot }: Reading): DumpEnd {
  return exchange.dump({
    operation: "list addresses",
    type: RTM.getAddress,
    body: (writer) => writer.raw(dumpRequest(RTM.getAddress, family)),
  }, (message) => {
    const address = message.type === RTM.newAddress ? readInterfaceAddress(message.payload) : undefined;
    if (address !== undefined) snapshot.addresses.set(address, true);
    return snapshot.addresses.size < MAX_ADDRESSES;
  });
}

function readGateways(exchange: NetlinkExchange, { family, snapshot }: Reading): DumpEnd {
  let left = MAX_ROUTES;
  return exchange.dump({
    operation: "list routes",
    type: RTM.getRoute,
    body: (writer) => writer.raw(dumpRequest(RTM.getRoute, family)),
  }, (message) => {
    const gateways = message.type === RTM.newRoute ? readDefaultGateways(message.payload) : [];
    for (const gateway of gateways) snapshot.gateways.set(gateway, true);
    return --left > 0 && snapshot.gateways.size < MAX_ADDRESSES;
  });
}

function sameAddresses(a: AddressMap<true>, b: AddressMap<true>): boolean {
  return a.size === b.size && a.addresses().every((address) => b.has(address));
}
