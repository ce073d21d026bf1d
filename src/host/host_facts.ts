/**
 * Everything that is asked of this host, opened together and closed together.
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { Address } from "../net/address.ts";
import { DEFAULT_EPHEMERAL_PORTS, parsePortRange, type PortRange } from "../net/ports.ts";
import type { Clock } from "../system/clock.ts";
import { readSmallFile } from "../system/proc.ts";
import { Conntrack } from "./conntrack.ts";
import { Names } from "./names.ts";
import { ProtectedAddresses } from "./protected.ts";
import { Resolvers } from "./resolvers.ts";
import { HostRoutes } from "./routes.ts";
import { SocketTable } from "./sockets.ts";
import type { Unanswered } from "./unanswered.ts";

/** The facts of this host. They outlive a configuration. */
export class HostFacts implements AsyncDisposable {
  /** Which socket owns a packet. */
  readonly sockets = new SocketTable();
  /** Which packets were translated. */
  readonly conntrack: Conntrack;
  /** Own addresses and gateways. */
  readonly routes: HostRoutes;
  /** The name servers in use. */
  readonly resolvers: Resolvers;
  /** Who is never banned. */
  readonly protected: ProtectedAddresses;
  /** Names for addresses and addresses for names. */
  readonly names: Names;

  /**
   * Read everything once.
   *
   * @throws {SyscallError} When the kernel does not answer.
   */
  constructor(config: Config, clock: Clock) {
    const monotonicMs = (): number => clock.monotonicMs();
    this.conntrack = new Conntrack({ monotonicMs });
    this.routes = new HostRoutes({ monotonicMs });
    this.resolvers = new Resolvers();
    this.names = new Names({ monotonicMs });
    this.protected = new ProtectedAddresses(config.ignore, {
      routes: this.routes,
      resolvers: this.resolvers,
      sockets: this.sockets,
      monotonicMs,
    });
  }

  /** Follow changes from now on. */
  start(): void {
    this.routes.start();
  }

  /** What the kernel did not answer to each of these. */
  unanswered(): readonly Unanswered[] {
    return [this.sockets, this.conntrack, this.routes, this.protected].map((asker) => asker.unanswered);
  }

  /** The addresses of a host name. Rejects when nobody can tell. */
  async resolve(name: string): Promise<readonly Address[]> {
    const found = (await this.names.addressesOf([name])).get(name);
    if (found === undefined) throw new Error(`${name} could not be looked up`);
    return found;
  }

  /** The ports that this host connects from (net.ipv4.ip_local_port_range). */
  ephemeralPorts(): PortRange {
    const text = readSmallFile("/proc/sys/net/ipv4/ip_local_port_range");
    return parsePortRange(text?.trim().replace(/\s+/, "-") ?? "") ?? DEFAULT_EPHEMERAL_PORTS;
  }

  /** Whether the kernel speaks IPv6 (net/ipv6/addrconf.c makes this file when it does). */
  hasIpv6(): boolean {
    return readSmallFile("/proc/net/if_inet6") !== undefined;
  }

  /** Close everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.sockets[Symbol.dispose]();
    this.conntrack[Symbol.dispose]();
    this.resolvers[Symbol.dispose]();
    await this.routes[Symbol.asyncDispose]();
  }
}
