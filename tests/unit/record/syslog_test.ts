/**
 * syslog on a real datagram socket, which comes and goes.
 * @module
 */
import assert from "node:assert/strict";
import { Syslog } from "../../../src/record/syslog.ts";
import { UnixReceiver } from "../../lab/unix_receiver.ts";

function open(path: string): Syslog {
  return new Syslog({
    path,
    identity: "portsentry",
    pid: 4711,
    clock: { now: () => 1793523909.5 },
    lossText: (lines) => `${lines} lost`,
  });
}

function withPath(body: (path: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    body(`${directory}/log`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("C10: Syslog sends daemon.notice under PortSentry's identity", () => {
  withPath((path) => {
    using receiver = new UnixReceiver(path);
    using syslog = open(path);
    syslog.write("notice", "attackalert: x");
    syslog.write("err", "adminalert: y");
    const [first, second] = receiver.received();
    // 3 (daemon) * 8 + 5 (notice) and 3 (err).
    assert.match(
      first ?? "",
      /^<29>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d portsentry\[4711\]: attackalert: x$/,
    );
    assert.match(second ?? "", /^<27>/);
    const time = new Date(1793523909 * 1000).toTimeString().slice(0, 8);
    assert.equal(first?.slice(11, 19), time);
  });
});

Deno.test("Syslog keeps lines in order while nobody listens and sends them when somebody does", () => {
  withPath((path) => {
    using syslog = open(path);
    syslog.write("notice", "1");
    assert.equal(syslog.waiting, 1);
    {
      using receiver = new UnixReceiver(path);
      syslog.write("notice", "2");
      assert.deepEqual(receiver.received().map((line) => line.slice(-1)), ["1", "2"]);
    }
    syslog.write("notice", "3");
    using again = new UnixReceiver(path);
    syslog.retry();
    assert.deepEqual(again.received().map((line) => line.slice(-1)), ["3"]);
    assert.equal(syslog.lost, 0);
  });
});

Deno.test("Syslog loses the oldest line at its bound, counts, and says so before the lines that are left", () => {
  withPath((path) => {
    using syslog = open(path);
    for (let i = 0; i < 1030; i++) syslog.write("notice", `line ${i}`);
    assert.deepEqual([syslog.waiting, syslog.lost], [1024, 6]);
    using receiver = new UnixReceiver(path);
    const lines: string[] = [];
    // The receiver's queue is short; the rest waits for the next attempt.
    for (let i = 0; i < 1024 && syslog.waiting > 0; i++) {
      syslog.retry();
      lines.push(...receiver.received());
    }
    lines.push(...receiver.received());
    assert.equal(lines.length, 1025);
    assert.match(lines[0] ?? "", /^<28>.*: 6 lost$/);
    assert.match(lines[1] ?? "", / line 6$/);
    assert.match(lines.at(-1) ?? "", / line 1029$/);
    syslog.write("notice", "next");
    assert.deepEqual(receiver.received().map((line) => line.slice(-4)), ["next"], "told once");
  });
});

Deno.test("Syslog cuts a line that no receiver would take", () => {
  withPath((path) => {
    using receiver = new UnixReceiver(path);
    using syslog = open(path);
    syslog.write("notice", "x".repeat(100_000));
    assert.equal(receiver.received()[0]?.length, 8192);
  });
});
