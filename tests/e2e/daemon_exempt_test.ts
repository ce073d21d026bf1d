/**
 * Whom to spare changes while the daemon runs: what the kernel's sets hold follows, without a restart.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { BLOCKING, scan } from "../lab/siege.ts";

/** Far below the time after which files are looked at without being told. */
const SECONDS = 5;

/** Runs a command with an /etc of its own, in the directory that is given first. */
const OWN_ETC = `
set -e
mkdir -p "$1"
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
rm -f /etc/resolv.conf
echo nameserver 192.0.2.53 >/etc/resolv.conf
shift
exec "$@"
`;

Deno.test("exempt: own addresses and gateways are protected in the kernel as soon as they change (F2)", async (test) => {
  await using lab = await Lab.create();
  const [target, gateway] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine: "kernel" } } });
  const steps: readonly (readonly [string, string, string, boolean])[] = [
    ["an address is added", "ip address add 10.99.0.1/24 dev eth0", "10.99.0.1", true],
    ["an IPv6 address is added", "ip address add fd99::1/64 dev eth0 nodad", "fd99::1", true],
    ["a default route", `ip route add default via ${gateway.ipv4}`, gateway.ipv4, true],
    ["an IPv6 default route", `ip -6 route add default via ${gateway.ipv6}`, gateway.ipv6, true],
    ["the route goes", "ip route del default", gateway.ipv4, false],
    ["the address goes", "ip address del 10.99.0.1/24 dev eth0", "10.99.0.1", false],
  ];
  for (const [what, command, address, isThere] of steps) {
    await test.step(what, async () => {
      await target.out(["sh", "-c", command]);
      const set = `protected${address.includes(":") ? 6 : 4}`;
      await until(
        `${address} is ${isThere ? "in" : "out of"} ${set}`,
        async () => await holds(target, set, address) === isThere,
        SECONDS,
      );
    });
  }
  await test.step("and a scan in the name of the gateway that is left bans nobody", async () => {
    scan(gateway, target.ipv6);
    await daemon.line(
      "it is told",
      (line) => line["source"] === gateway.ipv6 && line["verdict"] === "protected",
    );
    assert.deepEqual(daemon.about(gateway.ipv6, "block"), []);
  });
});

Deno.test("exempt: an edited ignore file takes effect in the kernel, and back", async () => {
  await using lab = await Lab.create();
  const [target, friend] = [await lab.host(), await lab.host()];
  await serve(target, 80);
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  const file = `${directory}/ignore`;
  await Deno.writeTextFile(file, "# nobody yet\n");
  await using daemon = await Daemon.start(target, {
    directory,
    config: { ...BLOCKING, detect: { engine: "kernel", scan_trigger: 0 }, ignore: { files: [file] } },
  });
  await Deno.writeTextFile(file, `${friend.ipv4}/32\n`);
  await until("it is ignored", () => holds(target, "ignored4", friend.ipv4), SECONDS);
  scan(friend, target.ipv4);
  assert.ok(await reaches(friend, target.ipv4, 80));
  assert.deepEqual(daemon.about(friend.ipv4, "probe"), []);
  // As editors do it: another file takes the place of the old one.
  await Deno.writeTextFile(`${file}.new`, "# nobody again\n");
  await Deno.rename(`${file}.new`, file);
  await until("it is ignored no more", async () => !(await holds(target, "ignored4", friend.ipv4)), SECONDS);
  scan(friend, target.ipv4);
  await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === friend.ipv4);
});

Deno.test("exempt: the resolvers of an edited resolv.conf are protected in the kernel, and those before are not", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const etc = await Deno.makeTempDir({ prefix: "portsnare-etc-" });
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, detect: { engine: "kernel" } },
    within: ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_ETC, "sh", etc],
  });
  await until("the first one is protected", () => holds(target, "protected4", "192.0.2.53"), SECONDS);
  const change = "echo nameserver 192.0.2.54 >/etc/resolv.new; mv /etc/resolv.new /etc/resolv.conf";
  // With its root as well: inside a chroot the namespace alone would lead out of it.
  const enter = ["nsenter", "--target", String(daemon.process.pid), "--mount", "--root"];
  await target.out([...enter, "sh", "-c", change]);
  await until("the next one is protected", () => holds(target, "protected4", "192.0.2.54"), SECONDS);
  assert.equal(await holds(target, "protected4", "192.0.2.53"), false);
  await daemon.stop();
  await Deno.remove(etc, { recursive: true });
});

async function holds(host: Host, set: string, address: string): Promise<boolean> {
  const { code } = await host.run(["nft", "get", "element", "inet", "portsnare", set, `{ ${address} }`]);
  return code === 0;
}
