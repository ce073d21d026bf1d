/**
 * A port that is trapped here and published for a container: its clients are nobody's evidence, with both engines, and what
 * they transfer is no work for the daemon.
 */
import assert from "node:assert/strict";
import { containerBehind } from "../lab/container.ts";
import { Daemon } from "../lab/daemon.ts";
import { DENO } from "../lab/deno.ts";
import { Lab, until } from "../lab/lab.ts";
import { BLOCKING, scan, statusOf } from "../lab/siege.ts";

const PORT = 81;
const NAT = `table inet published {
  chain prerouting {
    type nat hook prerouting priority -100;
    iifname "eth0" tcp dport ${PORT} dnat ip to 172.18.0.2:80
    iifname "eth0" tcp dport ${PORT} dnat ip6 to [fd18::2]:80
  }
}`;
/** Some 40 MB are tens of thousands of acknowledgements; with large segments still thousands. */
const DOWNLOAD_BYTES = 40_000_000;
/** What may be on its way while the filter is being changed. */
const FEW = 20;

for (const engine of ["kernel", "raw"] as const) {
  for (const trigger of [0, 3]) {
    Deno.test(`DNAT: engine ${engine}, scan_trigger ${trigger}: clients of a container are served and never told of (C22)`, async () => {
      await using lab = await Lab.create();
      const [target, client, scanner] = [await lab.host(), await lab.host(), await lab.host()];
      await using box = await containerBehind(target);
      await target.out(["nft", "-f", "-"], { stdin: NAT });
      const services = new URL("../lab/services.ts", import.meta.url).pathname;
      const inBox = ["nsenter", `--net=/run/netns/${box.name}`];
      target.spawn([...inBox, DENO, "run", "-A", "--cached-only", services, "80"]);
      await until(
        "the container serves",
        async () => (await target.out([...inBox, "ss", "-Hltn"])).includes(":80 "),
      );
      await using daemon = await Daemon.start(target, {
        config: { ...BLOCKING, detect: { engine, scan_trigger: trigger } },
      });
      const download = async (address: string): Promise<void> => {
        const url = `http://${address}:${PORT}/?bytes=${DOWNLOAD_BYTES}`;
        const size = await client.out(["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", url]);
        assert.equal(size, String(DOWNLOAD_BYTES));
      };
      for (const address of [target.ipv4, `[${target.ipv6}]`]) await download(address);
      if (engine === "raw") {
        await until("the port is left alone", async () => !(await isWatched(daemon)), 5);
      }
      const before = (await statusOf(daemon)).packets.reported;
      for (const address of [target.ipv4, `[${target.ipv6}]`]) await download(address);
      const { packets } = await statusOf(daemon);
      console.log(
        `${engine}, trigger ${trigger}: ${before} packets until the port was known, ${
          packets.reported - before
        } then`,
      );
      if (engine === "kernel") assert.equal(packets.reported, 0, "what is sent on never comes to the trap");
      assert.ok(packets.reported - before <= FEW, `${packets.reported - before} packets of a known port`);
      for (const source of [client.ipv4, client.ipv6]) {
        assert.deepEqual([...daemon.about(source, "probe"), ...daemon.about(source, "block")], []);
      }
      scan(scanner, target.ipv4);
      await daemon.line(
        "a scanner is banned",
        (line) => line["type"] === "block" && line["source"] === scanner.ipv4,
      );
    });
  }
}

async function isWatched(daemon: Daemon): Promise<boolean> {
  const { tcp } = await statusOf(daemon);
  return tcp.ports.split(",").some((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return first <= PORT && PORT <= last;
  });
}
