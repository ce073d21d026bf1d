/** Protected addresses and services in grace on a real host that changes. @module */
import assert from "node:assert/strict";
import { Grace } from "../../src/detect/grace.ts";
import { ProtectedAddresses } from "../../src/host/protected.ts";
import { Resolvers } from "../../src/host/resolvers.ts";
import { HostRoutes } from "../../src/host/routes.ts";
import { ServiceWatch } from "../../src/host/services.ts";
import { SocketTable } from "../../src/host/sockets.ts";
import { formatAddress } from "../../src/net/address.ts";
import { PortSet } from "../../src/net/ports.ts";
import { Lab, until } from "../lab/lab.ts";
import { address } from "../lab/addresses.ts";

const monotonicMs = () => performance.now();

Deno.test("F2: ProtectedAddresses follows gateway, resolver, own addresses and the admin's session", async (t) => {
  await using lab = await Lab.create();
  const host = await lab.host();
  const admin = await lab.host();
  const directory = await Deno.makeTempDir();
  try {
    const main = `${directory}/resolv.conf`;
    await Deno.writeTextFile(main, "nameserver 10.77.0.53\n");
    using resolvers = new Resolvers({ main, upstreams: [] });
    using sockets = host.inside(() => new SocketTable());
    await using routes = host.inside(() => new HostRoutes({ monotonicMs }));
    routes.start();
    const guard = new ProtectedAddresses({
      protect: ["own-addresses", "gateways", "resolvers", "sessions"],
      session_ports: PortSet.of(22),
    }, { routes, resolvers, sockets, monotonicMs });
    // A copy kept by the changes alone, as the kernel's sets are.
    const copy = new Set(guard.entries().map((entry) => formatAddress(entry.address)));
    guard.onChange(({ added, removed }) => {
      for (const gone of removed) copy.delete(formatAddress(gone));
      for (const come of added) copy.add(formatAddress(come));
    });
    const reason = (text: string) => guard.reasonFor(address(text));

    await t.step("F3: own addresses and the resolver from the start, nobody else", () => {
      assert.deepEqual(
        ["10.77.0.1", "fd77::1", "10.77.0.53", "10.77.0.254", "10.77.0.2"].map(reason),
        ["own-address", "own-address", "resolver", undefined, undefined],
      );
    });
    await t.step("F2: a gateway as soon as there is a route", async () => {
      await host.out(["ip", "route", "add", "default", "via", "10.77.0.254"]);
      await until("the gateway is protected", () => reason("10.77.0.254") === "gateway");
    });
    await t.step("another resolver as soon as the file says so", async () => {
      await Deno.writeTextFile(main, "nameserver 10.77.0.54\n");
      await until("the resolver is protected", () => reason("10.77.0.54") === "resolver");
      assert.equal(reason("10.77.0.53"), undefined);
    });
    await t.step("the admin while logged in, and not after", async () => {
      const sshd = host.inside(() => Deno.listen({ hostname: "0.0.0.0", port: 22 }));
      const session = admin.spawn(["nc", "10.77.0.1", "22"], {
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      });
      const accepted = await sshd.accept();
      guard.refreshSessions();
      assert.equal(guard.isSessionNow(address(admin.ipv4)), false, "who has said nothing has no session");
      const typing = session.stdin.getWriter();
      await typing.write(new TextEncoder().encode("SSH-2.0-lab\r\n"));
      await until("the session is seen at once", () => guard.isSessionNow(address(admin.ipv4)));
      assert.equal(reason(admin.ipv4), "session");
      assert.ok(copy.has(admin.ipv4));
      await typing.close();
      session.kill("SIGKILL");
      accepted.close();
      sshd.close();
      await until("the session is over", () => {
        guard.refreshSessions();
        return reason(admin.ipv4) === undefined;
      });
    });
    assert.deepEqual([...copy].sort(), guard.entries().map((entry) => formatAddress(entry.address)).sort());
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("C18, F17: ServiceWatch and Grace follow real services as they come and go", async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  using sockets = host.inside(() => new SocketTable());
  let now = 0;
  const grace = new Grace({ graceSeconds: 600 });
  using watch = new ServiceWatch({ sockets, grace, now: () => now, onChange: () => {} });
  const standing = (port: number) => grace.standing({ protocol: "tcp", dest: address(host.ipv4), port }, now);

  const services = host.inside(() => [
    Deno.listen({ hostname: "0.0.0.0", port: 80 }),
    Deno.listen({ hostname: "127.0.0.1", port: 631 }),
  ]);
  watch.look();
  assert.deepEqual([80, 631, 81].map(standing), ["served", "trap", "trap"]);
  for (const service of services) service.close();
  now = 1;
  watch.look();
  assert.deepEqual([80, 631, 81].map(standing), ["grace", "trap", "trap"]);
  now = 602;
  watch.look();
  assert.equal(standing(80), "trap");
});
