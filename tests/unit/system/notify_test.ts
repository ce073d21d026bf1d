/**
 * sd_notify on a real datagram socket.
 * @module
 */
import assert from "node:assert/strict";
import { Notifier } from "../../../src/system/notify.ts";
import { UnixReceiver } from "../../lab/unix_receiver.ts";
import { until } from "../../lab/lab.ts";

Deno.test("Notifier says what sd_notify(3) wants to hear, in the file system and in the abstract namespace", () => {
  const directory = Deno.makeTempDirSync();
  for (const path of [`${directory}/notify`, `@portsnare-test-${Deno.pid}`]) {
    using systemd = new UnixReceiver(path);
    using notifier = new Notifier({ NOTIFY_SOCKET: path }, 1);
    notifier.ready("armed\nEVIL=1");
    notifier.status("3 bans");
    notifier.reloading();
    notifier.ready();
    notifier.alive();
    notifier.stopping("bye");
    const [ready, status, reloading, again, alive, stopping] = systemd.received();
    assert.equal(ready, "READY=1\nSTATUS=armed EVIL=1");
    assert.equal(status, "STATUS=3 bans");
    assert.match(reloading ?? "", /^RELOADING=1\nMONOTONIC_USEC=\d{6,}$/);
    const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
    const told = Number(/MONOTONIC_USEC=(\d+)/.exec(reloading ?? "")?.[1]) / 1e6;
    // The machine may have slept, which CLOCK_MONOTONIC leaves out: never later than the uptime.
    assert.ok(told > 0 && told <= uptime + 1, `${told} after boot, uptime ${uptime}`);
    assert.deepEqual([again, alive, stopping], ["READY=1", "WATCHDOG=1", "STOPPING=1\nSTATUS=bye"]);
  }
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("Notifier without NOTIFY_SOCKET, or with one that it cannot use, does nothing", () => {
  for (const path of [undefined, "", "vsock:2:1234", "relative", `/${"x".repeat(200)}`]) {
    using notifier = new Notifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: "2000000" }, 1);
    assert.doesNotThrow(() => notifier.ready(), path);
    assert.doesNotThrow(() => notifier.startWatchdog(), path);
  }
});

Deno.test("Notifier goes on when nobody takes what it says, and is heard again by who comes back", () => {
  const path = `@portsnare-nobody-${Deno.pid}`;
  using notifier = new Notifier({ NOTIFY_SOCKET: path }, 1);
  notifier.ready();
  using systemd = new UnixReceiver(path);
  notifier.alive();
  assert.deepEqual(systemd.received(), ["WATCHDOG=1"]);
});

Deno.test("Notifier.watchdogMs is half of what systemd allows, and only for this process", () => {
  const rows: readonly [string | undefined, string | undefined, number | undefined][] = [
    ["60000000", undefined, 30000],
    ["60000000", "77", 30000],
    ["60000000", "78", undefined],
    [undefined, undefined, undefined],
    ["", undefined, undefined],
    ["0", undefined, undefined],
    ["-5", undefined, undefined],
    ["soon", undefined, undefined],
  ];
  for (const [usec, watchdogPid, expected] of rows) {
    using notifier = new Notifier({ WATCHDOG_USEC: usec, WATCHDOG_PID: watchdogPid }, 77);
    assert.equal(notifier.watchdogMs, expected, `${usec} ${watchdogPid}`);
  }
});

Deno.test("Notifier.startWatchdog gives signs of life until its end", async () => {
  const path = `@portsnare-watchdog-${Deno.pid}`;
  using systemd = new UnixReceiver(path);
  const notifier = new Notifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" }, 1);
  notifier.startWatchdog();
  const heard: string[] = [];
  await until("three signs of life", () => heard.push(...systemd.received()) >= 3);
  assert.deepEqual(new Set(heard), new Set(["WATCHDOG=1"]));
  notifier[Symbol.dispose]();
  systemd.received();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(systemd.received(), []);
});

Deno.test("Notifier closes its descriptor", () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = count();
  for (let i = 0; i < 400; i++) new Notifier({ NOTIFY_SOCKET: "@x" }, 1)[Symbol.dispose]();
  // Other tests run beside this one in the same process and open some of their own.
  assert.ok(count() - before < 200);
});
