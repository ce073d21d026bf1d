import assert from "node:assert/strict";
import fc from "fast-check";
import { defaultConfig } from "../../../src/config/schema.ts";
import { addressOf } from "../../../src/net/address.ts";
import { formatPrefix, hostPrefix } from "../../../src/net/prefix.ts";
import {
  commandArgv,
  commandText,
  fillTemplate,
  portSentryMode,
  targetFault,
} from "../../../src/respond/template.ts";
import { prefix } from "../../lab/addresses.ts";

const VALUES = { target: prefix("192.0.2.7"), port: 23, mode: "atcp" } as const;

Deno.test("C11: fillTemplate fills in every occurrence of every token", () => {
  for (
    const [template, filled] of [
      ["/sbin/iptables -I INPUT -s $TARGET$ -j DROP", "/sbin/iptables -I INPUT -s 192.0.2.7 -j DROP"],
      ["$TARGET$ $PORT$ $MODE$ $TARGET$$PORT$$MODE$", "192.0.2.7 23 atcp 192.0.2.723atcp"],
      ["", ""],
      ["nothing", "nothing"],
      ["$TARGET $PORT MODE$ $target$ $OTHER$", "$TARGET $PORT MODE$ $target$ $OTHER$"],
      ["$$TARGET$$", "$192.0.2.7$"],
      ["$TARGET$PORT$", "192.0.2.7PORT$"],
      ["a $& b $1 $TARGET$", "a $& b $1 192.0.2.7"],
    ] as const
  ) assert.equal(fillTemplate(template, VALUES), filled, template);
});

Deno.test("fillTemplate writes IPv6 addresses and prefixes in their canonical form", () => {
  assert.equal(fillTemplate("$TARGET$", { ...VALUES, target: prefix("2001:DB8:0::1") }), "2001:db8::1");
  assert.equal(fillTemplate("$TARGET$", { ...VALUES, target: prefix("192.0.2.0/24") }), "192.0.2.0/24");
});

Deno.test("fillTemplate never lets anything but address characters into a command", () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(fc.property(fc.tuple(word, word, word, word), fc.nat(65535), (words, port) => {
    const target = hostPrefix(addressOf(words));
    const filled = fillTemplate("$TARGET$|$PORT$|$MODE$", { target, port, mode: "sudp" });
    assert.match(filled, /^[0-9a-f.:]+\|\d{1,5}\|sudp$/);
    assert.equal(filled.split("|")[0], formatPrefix(target));
  }));
});

Deno.test("C11: commandArgv runs text through /bin/sh -c and a list without a shell", () => {
  assert.deepEqual(commandArgv("a $TARGET$ && b", VALUES), ["/bin/sh", "-c", "a 192.0.2.7 && b"]);
  assert.deepEqual(commandArgv(["a", "-s", "$TARGET$", "$MODE$;"], VALUES), [
    "a",
    "-s",
    "192.0.2.7",
    "atcp;",
  ]);
  assert.equal(commandText(["a", "-s", "$TARGET$"], VALUES), "a -s 192.0.2.7");
  assert.equal(commandText("a $PORT$", VALUES), "a 23");
});

Deno.test("C11: targetFault tells of a missing target in PortSentry's words", () => {
  assert.equal(
    targetFault("kill_route", "/sbin/route add -host 1.2.3.4 reject"),
    "No target variable specified in KILL_ROUTE option. Skipping.",
  );
  assert.match(targetFault("kill_hosts_deny", "ALL: ALL") ?? "", /KILL_HOSTS_DENY/);
  assert.equal(targetFault("kill_route", "drop $TARGET$"), undefined);
  assert.equal(targetFault("kill_route", ["drop", "$TARGET$"]), undefined);
  assert.notEqual(targetFault("kill_route", ["drop", "$PORT$"]), undefined);
});

Deno.test("C11: portSentryMode gives PortSentry's six names", () => {
  const config = defaultConfig();
  const modes = (["connect", "stealth", "advanced"] as const).map((mode) => {
    const of = { tcp: { ...config.tcp, mode }, udp: { ...config.udp, mode } };
    return [portSentryMode(of, "tcp"), portSentryMode(of, "udp")];
  });
  assert.deepEqual(modes, [["tcp", "udp"], ["stcp", "sudp"], ["atcp", "audp"]]);
  assert.equal(portSentryMode(config, "icmp"), "atcp");
  assert.equal(portSentryMode(config, "sctp"), "atcp");
});
