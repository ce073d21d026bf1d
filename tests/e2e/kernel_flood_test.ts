/** A flood of forged probes: everything stays within its bound, services go on, and a real scanner is caught all the same. */
import assert from "node:assert/strict";
import { openPorts, reaches, serve } from "../lab/clients.ts";
import { Lab, until } from "../lab/lab.ts";
import { ArmedTrap, blocking } from "../lab/trap.ts";

const RATE = 500;
const MAX_ACTIVE = 20_000;
const FLOOD_SECONDS = 6;

/** How many elements a set of ours holds, as nft lists it. */
async function sizeOf(host: { out(argv: readonly string[]): Promise<string> }, set: string): Promise<number> {
  const text = await host.out(["nft", "list", "set", "inet", "portsnare", set]);
  const elements = /elements = \{([^}]*)\}/.exec(text)?.[1];
  return elements === undefined ? 0 : elements.split(",").length;
}

for (const trigger of [0, 3]) {
  Deno.test(`flood: from random sources, scan_trigger ${trigger}`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const [flooder, scanner, client] = [await lab.host(), await lab.host(), await lab.host()];
    await serve(target, 22, 80);
    // The answers to forged sources go nowhere; without a route they would be asked for by ARP.
    await target.out(["ip", "route", "add", "default", "via", flooder.ipv4]);
    await using trap = await ArmedTrap.arm(
      target,
      blocking({
        detect: { scan_trigger: trigger },
        block: { rate: RATE, max_active: MAX_ACTIVE, quarantine: "2s", max_duration: "1h", duration: "1h" },
      }),
    );
    const flood = flooder.spawn(["hping3", "-q", "-S", "--flood", "--rand-source", "-p", "23", target.ipv4], {
      stdout: "null",
      stderr: "null",
    });
    await until("the flood is there", () => trap.backend.counters().trapped > 20_000, 20);
    const begun = performance.now();
    // With trigger 0 every forged packet is worth a ban, and a scanner would have to win one of `block.rate` places among
    // them: the bounds hold, but nobody can promise that it is caught while the flood lasts.
    if (trigger !== 0) {
      const scan = ["-sS", "-T4", "-p1-1024", "--max-retries", "0", "--min-rate", "300", target.ipv4];
      await until("the scanner is banned during the flood", async () => {
        await openPorts(scanner, scan);
        return trap.hasBanned(scanner.ipv4);
      }, 60);
    }
    for (let i = 0; i < 5; i++) assert.ok(await reaches(client, target.ipv4, 80), "clients are served");
    await until("the flood was long enough", () => performance.now() - begun > FLOOD_SECONDS * 1000, 20);
    const sets = trigger === 0 ? ["seized4"] : ["quarantined4", "repeat4"];
    const sizes: Record<string, number> = {};
    for (const set of sets) sizes[set] = await sizeOf(target, set);
    const { unseized } = trap.backend.counters();
    flood.kill("SIGKILL");
    await flood.status;

    assert.ok(unseized > 0, "block.rate was reached");
    if (trigger === 0) assert.ok((sizes["seized4"] ?? 0) <= MAX_ACTIVE, JSON.stringify(sizes));
    // Two seconds and the burst, plus what the kernel has not yet swept out.
    else assert.ok((sizes["quarantined4"] ?? 0) <= RATE * 5, JSON.stringify(sizes));
    assert.ok((sizes["repeat4"] ?? 0) <= 65536);
    await until("the engine has caught up", () => {
      const { trapped, reported, lost } = trap.engine.stats();
      return trapped - reported - lost < 1000;
    });
    if (trigger === 3) {
      await until("everything has expired", async () => await sizeOf(target, "quarantined4") <= 1, 15);
    }
    assert.ok(await reaches(client, target.ipv4, 22));
  });
}
