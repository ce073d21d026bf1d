/**
 * A container as the network sees one: a namespace of its own behind a host of the lab, reached only through that host.
 * @module
 */
import { type Host, run } from "./lab.ts";

/** A "container" behind `host`: a namespace of its own at 172.18.0.2 and fd18::2, reached only through the host. */
export async function containerBehind(host: Host): Promise<AsyncDisposable & { readonly name: string }> {
  const name = `${host.namespace}-box`;
  await run(["ip", "netns", "add", name]);
  await host.out(["ip", "link", "add", "box0", "type", "veth", "peer", "name", "eth0", "netns", name]);
  await host.out(["ip", "link", "set", "box0", "up"]);
  await host.out(["ip", "address", "add", "172.18.0.1/24", "dev", "box0"]);
  await host.out(["ip", "address", "add", "fd18::1/64", "dev", "box0", "nodad"]);
  await host.out(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  for (
    const command of [
      "link set lo up",
      "link set eth0 up",
      "address add 172.18.0.2/24 dev eth0",
      "address add fd18::2/64 dev eth0 nodad",
      "route add default via 172.18.0.1",
      "-6 route add default via fd18::1",
    ]
  ) await run(["ip", "-n", name, ...command.split(" ")]);
  return {
    name,
    async [Symbol.asyncDispose]() {
      await run(["ip", "netns", "delete", name]);
    },
  };
}
