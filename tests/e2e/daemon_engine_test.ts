/**
 * Which engine the daemon takes, what it says about it, and that nothing of either is left when it is told to go.
 */
import assert from "node:assert/strict";
import { serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { Lab } from "../lab/lab.ts";
import { banOf, BLOCKING, scan, statusOf } from "../lab/siege.ts";

const AUTO = { detect: { engine: "auto" } } as const;

/** Runs a command where there is no nft: a character device 0:0 is how an overlay says that a file is gone. */
const WITHOUT_NFT = `
set -e
hole=$(mktemp -d)
mount -t tmpfs tmpfs "$hole"
mknod "$hole/nft" c 0 0
mount -t overlay overlay -o lowerdir="$hole:/usr/sbin" /usr/sbin
umount -l "$hole"
rmdir "$hole"
exec "$@"
`;
const WITHIN = ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITHOUT_NFT, "sh"];

Deno.test("engine: auto is the kernel engine where nftables works, and check says so before", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target, { config: { ...BLOCKING, ...AUTO } });
  const status = await statusOf(daemon);
  assert.deepEqual([status.engines, status.engineNote], [["kernel"], null]);
  assert.match((await daemon.cli("check")).stdout, /^ +engine +kernel \(/m);
});

Deno.test("engine: without nft auto is the raw engine, which sees scans; log, status and check say why", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: AUTO, within: WITHIN });
  const status = await statusOf(daemon);
  assert.deepEqual(status.engines, ["raw"]);
  assert.match(status.engineNote ?? "", /kernel engine cannot be.*package nftables/);
  assert.ok(daemon.notices().includes(status.engineNote ?? "nothing"), daemon.said());
  assert.match((await daemon.cli("check")).stdout, /^ +engine +raw \(nft is not installed/m);
  scan(scanner, target.ipv4);
  await daemon.line(
    "the scan is told",
    (line) => line["type"] === "probe" && line["source"] === scanner.ipv4 && line["verdict"] === "observe",
  );
});

Deno.test("engine: without nft the one that was asked for by name is refused, with what to install", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.launch(target, {
    config: { detect: { engine: "kernel" } },
    within: WITHIN,
  });
  assert.equal((await daemon.process.status).code, 69);
  await daemon.heard((line) => line.includes("install Debian's package nftables"));
});

for (const engine of ["kernel", "raw"] as const) {
  Deno.test(`engine: ${engine}, run --teardown leaves the firewall as it was found`, async () => {
    await using lab = await Lab.create();
    const [target, scanner] = [await lab.host(), await lab.host()];
    await serve(target, 22);
    const own = "table inet admin { chain input { type filter hook input priority 0; tcp dport 23 drop; }; }";
    await target.out(["nft", "-f", "-"], { stdin: own });
    const before = await everything();
    await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });
    scan(scanner, target.ipv4);
    await banOf(daemon, scanner.ipv4);
    assert.equal(await daemon.stop(), 0);
    assert.match(await everything(), /table inet portsnare/, "bans outlive the daemon");
    const result = await daemon.cli("run", "--teardown");
    assert.equal(result.code, 0, result.stderr);
    assert.equal(await everything(), before);
    assert.equal((await daemon.cli("run", "--teardown")).code, 0, "there may be nothing to do");

    async function everything(): Promise<string> {
      const argv =
        "nft list ruleset; ip rule; ip route show table all; ip -6 rule; ipset list -n; cat /proc/net/packet";
      const text = await target.out(["sh", "-c", argv]);
      // The kernel makes the link-local address of an interface a moment after the interface.
      return text.split("\n").filter((line) => !line.includes("fe80:")).join("\n");
    }
  });
}
