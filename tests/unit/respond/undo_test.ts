import assert from "node:assert/strict";
import { undoOf, wasUndone } from "../../../src/respond/undo.ts";

Deno.test("undoOf knows the opposite of PortSentry's usual commands", () => {
  for (
    const [command, undone] of [
      ["/sbin/iptables -I INPUT -s $TARGET$ -j DROP", "/sbin/iptables -D INPUT -s $TARGET$ -j DROP"],
      ["/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS", "/sbin/iptables -D INPUT -s $TARGET$ -j CHAOS"],
      ["iptables -I INPUT 3 -s $TARGET$ -j DROP", "iptables -D INPUT -s $TARGET$ -j DROP"],
      [
        "iptables -t raw --append PREROUTING -s $TARGET$ -j DROP",
        "iptables -t raw -D PREROUTING -s $TARGET$ -j DROP",
      ],
      ["/sbin/route add -host $TARGET$ reject", "/sbin/route del -host $TARGET$ reject"],
      ["/sbin/route add -host $TARGET$ gw 123.45.67.89", "/sbin/route del -host $TARGET$ gw 123.45.67.89"],
      ["ip route add blackhole $TARGET$", "ip route del blackhole $TARGET$"],
      ["ip route replace blackhole $TARGET$", "ip route del blackhole $TARGET$"],
    ] as const
  ) assert.equal(undoOf(command), undone, command);
  assert.deepEqual(undoOf(["/sbin/iptables", "-A", "INPUT", "-s", "$TARGET$", "-j", "DROP"]), [
    "/sbin/iptables",
    "-D",
    "INPUT",
    "-s",
    "$TARGET$",
    "-j",
    "DROP",
  ]);
});

Deno.test("undoOf leaves alone whatever might mean more than one plain command", () => {
  for (
    const command of [
      "/sbin/iptables -I INPUT -s $TARGET$ -j DROP && /sbin/iptables -I INPUT -s $TARGET$ -j LOG",
      "iptables -I INPUT -s $TARGET$ -j DROP; true",
      "iptables -I INPUT -s $TARGET$ -j DROP | logger",
      "iptables -I INPUT -s $(echo $TARGET$) -j DROP",
      "iptables -I INPUT -s $TARGET$ -j DROP > /tmp/x",
      "iptables -I INPUT -s $HOST -j DROP",
      "iptables -N X -A INPUT -I INPUT",
      "iptables -L",
      "/usr/local/bin/my-iptables -I INPUT -s $TARGET$",
      "echo add $TARGET$",
      "ip link add dummy0",
      "",
      "   ",
    ]
  ) assert.equal(undoOf(command), undefined, command);
  assert.equal(undoOf([]), undefined);
});

Deno.test("wasUndone recognises that there was nothing to undo", () => {
  const command = "/sbin/iptables -D INPUT -s 192.0.2.1 -j DROP";
  for (
    const [stderr, gone] of [
      ["iptables: Bad rule (does a matching rule exist in that chain?).", true],
      ["iptables: No chain/target/match by that name.", true],
      ["RTNETLINK answers: No such process", true],
      ["SIOCDELRT: No such process", true],
      ["iptables v1.8.9 (nf_tables): Chain 'INPUT' does not exist", true],
      ["iptables: Permission denied (you must be root)", false],
      ["", false],
    ] as const
  ) assert.equal(wasUndone(stderr, { command, wasDone: true }), gone, stderr);
});

Deno.test("F1: wasUndone does not take a rule for gone because its target is unknown now", () => {
  const command = "/sbin/iptables -D INPUT -s 192.0.2.1 -j CHAOS";
  for (
    const stderr of [
      "iptables v1.8.9 (nf_tables): Chain 'CHAOS' does not exist",
      "iptables v1.8.9 (legacy): Couldn't load target `CHAOS':No such file or directory",
    ]
  ) {
    assert.equal(wasUndone(stderr, { command, wasDone: true }), false, stderr);
    assert.equal(wasUndone(stderr, { command, wasDone: false }), true, `never made: ${stderr}`);
  }
});
