/**
 * The hosts that every case plays on: a server with five open ports, a scanner that answers for a hundred thousand
 * addresses, an honest client.
 * @module
 */
import { type Host, Lab, until } from "../tests/lab/lab.ts";
import { debianTree, Place } from "./contestants/debian_tree.ts";
import { pinned } from "./measure/cpus.ts";

/** The server's open ports. */
export const OPEN_PORTS = [22, 80, 443, 3306, 8080];
/** Where the addresses of the scanner begin: a network of 2^17. */
export const SCANNERS = { ipv4: "10.78.0.0", bits: 17, ipv6: "fd78::" } as const;
/** Ports that are trapped by every contestant with its stock list of ports, and closed here. */
export const TRAP_PORTS = [11, 15, 79];

const TOOLS = ["nginx-light", "wrk"];

/** What the server answers, with one worker, so that a case is decided by the network and not by a web server. */
const NGINX = `
daemon off;
worker_processes 1;
error_log stderr crit;
pid /tmp/nginx.pid;
events { worker_connections 10000; }
http {
  access_log off;
  server {
${OPEN_PORTS.map((port) => `    listen ${port}; listen [::]:${port};`).join("\n")}
    location / { return 200 "answer\\n"; }
  }
}
`;

/** The hosts, with the services up. */
export class Scene implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #place: Place;

  private constructor(
    lab: Lab,
    place: Place,
    /** Runs the contestants. */
    readonly server: Host,
    /** Sends what ought to be stopped. */
    readonly scanner: Host,
    /** Sends what ought to be served. */
    readonly client: Host,
  ) {
    this.#lab = lab;
    this.#place = place;
  }

  /** Put it up. */
  static async open(): Promise<Scene> {
    const tree = await debianTree("bookworm", TOOLS);
    const lab = await Lab.create();
    const place = await Place.create(tree, { "/etc/nginx/nginx.conf": NGINX });
    const [server, scanner, client] = [await lab.host(), await lab.host(), await lab.host()];
    const scene = new Scene(lab, place, server, scanner, client);
    try {
      await scene.#connect();
      server.spawn(pinned("server", place.argv(["/usr/sbin/nginx"])), { stdout: "null", stderr: "null" });
      await until("the services listen", async () => {
        const table = await server.out(["ss", "-Hltn"]);
        return OPEN_PORTS.every((port) => table.includes(`:${port} `));
      });
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A scanner's address that no case has used before. */
  static address(number: number, family: 4 | 6 = 4): string {
    return family === 4
      ? `10.${78 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
      : `${SCANNERS.ipv6}${number.toString(16)}`;
  }

  /** Connections of one request each, from the client. @returns wrk's output. */
  async shortConnections(seconds: number): Promise<string> {
    const url = `http://${this.server.ipv4}:80/`;
    const wrk = ["wrk", "-t1", "-c16", `-d${seconds}s`, "-H", "Connection: close", url];
    const place = await Place.create(await debianTree("bookworm", TOOLS), {});
    try {
      return await this.client.out(pinned("client", place.argv(wrk)), { seconds: seconds + 30 });
    } finally {
      await place[Symbol.asyncDispose]();
    }
  }

  /** Take it down. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
    await this.#place[Symbol.asyncDispose]();
  }

  /** The scanner answers for its whole network, so that its kernel refuses what it has not asked for, as a host does. */
  async #connect(): Promise<void> {
    const { server, scanner } = this;
    const v4 = `${SCANNERS.ipv4}/${32 - SCANNERS.bits}`;
    const v6 = `${SCANNERS.ipv6}/64`;
    await server.out(["ip", "route", "add", v4, "via", scanner.ipv4]);
    await server.out(["ip", "-6", "route", "add", v6, "via", scanner.ipv6]);
    await scanner.out(["ip", "route", "add", "local", v4, "dev", "lo"]);
    await scanner.out(["ip", "-6", "route", "add", "local", v6, "dev", "lo"]);
    // nmap -sT binds to an address that is on no interface.
    await scanner.out(["sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1"]);
    for (const host of [server, scanner]) {
      await host.out(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0"]);
    }
    for (const address of [server.ipv4, server.ipv6]) await scanner.out(["ping", "-c1", "-W2", address]);
  }
}
