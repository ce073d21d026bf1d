/** Signals at the wrong moment, and daemons that are started twice. @module */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { Lab, until } from "../lab/lab.ts";
import { bannedByDaemon, bannedInKernel, banOf, BLOCKING, scan } from "../lab/siege.ts";

Deno.test("SIGTERM at any moment of the start ends the daemon promptly, with nothing half made", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const directory = await Deno.makeTempDir();
  for (let delay = 0; delay <= 900; delay += 60) {
    const daemon = await Daemon.launch(target, { config: BLOCKING, directory });
    const sent = Date.now();
    await until("it is time", () => Date.now() - sent >= delay);
    const began = Date.now();
    const code = await daemon.stop();
    assert.ok(Date.now() - began < 5000, `after ${delay} ms it took ${Date.now() - began} ms to end`);
    // Before it listens for the signal it ends by the signal itself (128 + 15), having done nothing yet.
    assert.ok(code === 0 || code === 143, `after ${delay} ms: exit ${code}: ${daemon.said()}`);
    await assert.rejects(Deno.lstat(`${directory}/control.sock`), Deno.errors.NotFound, `after ${delay} ms`);
    const { code: listed, stdout } = await target.run(["nft", "list", "table", "inet", "portsnare"]);
    if (listed === 0) {
      assert.match(stdout, /chain guard[^]*@banned4[^]*chain trap[^]*chain forward/, "half a table");
    }
    await target.run(["nft", "flush", "ruleset"]);
  }
  await using daemon = await Daemon.start(target, { config: BLOCKING, directory });
  assert.deepEqual(await bannedByDaemon(daemon), []);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("SIGHUP at any moment of the start does not end the daemon", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  // Before the program runs at all the signal has its default effect, as for every program.
  for (const delay of [500, 700]) {
    await using daemon = await Daemon.launch(target, { config: BLOCKING });
    await daemon.line("it starts", (line) => String(line["message"]).includes("is starting"));
    const began = Date.now();
    await until("it is time", () => Date.now() - began >= delay - 500);
    daemon.process.kill("SIGHUP");
    await daemon.line(
      "it reads the configuration",
      (line) => String(line["message"]).includes("was read anew"),
    );
    assert.equal(await daemon.stop(), 0);
  }
});

Deno.test("SIGTERM in the middle of reloads ends the daemon promptly with 0, and every ban stays", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir();
  for (const delay of [0, 5, 20, 60]) {
    const daemon = await Daemon.start(target, { config: BLOCKING, directory });
    if (delay === 0) {
      scan(scanner, target.ipv4);
      await banOf(daemon, scanner.ipv4);
    }
    for (let i = 0; i < 5; i++) daemon.process.kill("SIGHUP");
    const sent = Date.now();
    await until("it is time", () => Date.now() - sent >= delay);
    assert.equal(await daemon.stop(), 0, daemon.said());
    assert.ok(Date.now() - sent < 8000);
    assert.deepEqual(await bannedInKernel(target), [scanner.ipv4]);
    assert.doesNotMatch(daemon.said(), /Internal error|internal error/);
  }
  await using daemon = await Daemon.start(target, { config: BLOCKING, directory });
  assert.deepEqual(await bannedByDaemon(daemon), [scanner.ipv4]);
});

Deno.test("signals that other daemons use for something end nothing", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGWINCH"] as const) {
    daemon.process.kill(signal);
    assert.equal((await daemon.cli("status")).code, 0, `${signal}: ${daemon.said()}`);
  }
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("a second daemon says that there is one already, and leaves with 69", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using first = await Daemon.start(target, { config: BLOCKING });
  await using second = await Daemon.launch(target, { config: BLOCKING, directory: first.directory });
  assert.equal((await second.process.status).code, 69);
  await second.stop();
  assert.match(second.said(), /Another portsnare is running/);
  assert.equal((await first.cli("status")).code, 0);
});

Deno.test("daemons started at the same moment: one of them watches, the others say so and leave with 69", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  for (let round = 0; round < 4; round++) {
    const daemons = await Promise.all(
      [0, 1, 2].map(() => Daemon.launch(target, { config: BLOCKING, directory })),
    );
    const left: Daemon[] = [];
    for (const daemon of daemons) void daemon.process.status.then(() => left.push(daemon));
    await until("two have left", () => left.length === 2, 30);
    for (const daemon of left) {
      assert.equal(await daemon.stop(), 69, daemon.said());
      assert.match(daemon.said(), /Another portsnare is running/);
    }
    const [winner] = daemons.filter((daemon) => !left.includes(daemon));
    assert.ok(winner);
    await winner.line("it is armed", (line) => String(line["message"]).includes("active and listening"), 30);
    assert.equal((await winner.cli("status")).code, 0, "the one that watches answers");
    scan(scanner, target.ipv4);
    if (round === 0) await banOf(winner, scanner.ipv4);
    assert.deepEqual(await bannedInKernel(target), [scanner.ipv4]);
    // It leaves a socket behind, which the next ones all find stale.
    await winner.stop("SIGKILL");
  }
  await Deno.remove(directory, { recursive: true });
});
