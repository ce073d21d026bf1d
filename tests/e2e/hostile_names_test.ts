/**
 * Scanners who own the reverse names of their addresses and put whatever they like into them: the log and the history
 * stay one line for each event, and nobody else is named in them.
 */
import assert from "node:assert/strict";
import { address, besieged, LAN_ADDRESS } from "../lab/besieged.ts";
import { type Host, until } from "../lab/lab.ts";
import { NameServer } from "../lab/name_server.ts";

/** The labels of names, one character for each byte. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "10.77.0.101": ["a\n1795207546 - 11/20/2026 20:45:46 Host: x/192.0.2.1", "net"],
  "10.77.0.102": ["\x1b[2J\r\x00\x07\x7f", "net"],
  "10.77.0.103": ["x/192.0.2.1", "/192.0.2.2/", "net"],
  "10.77.0.104": ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)],
  "10.77.0.105": ["\n".repeat(63), "\xff".repeat(63), " ".repeat(63), "/".repeat(61)],
  "10.77.0.106": ["x/192.0.2.1 Port: 1 TCP Blocked", "net"],
  "10.77.0.107": ["\\010\\\\010", "$(id)", "`id`;", "%s%n"],
  "10.77.0.108": ["\xc2\x9b2J\xe2\x80\xae", "net"],
  "10.77.0.109": ["192", "0", "2", "1"],
  // Asked, and never answered.
  "10.77.0.110": [],
};

const HISTORY_LINE =
  /^\d+ - \d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d Host: ([A-Za-z0-9._\\-]+)\/(10\.77\.0\.1\d\d) Port: 21 TCP Blocked$/;

for (const format of ["text", "json"] as const) {
  Deno.test(`F20: hostile reverse names leave log (${format}) and history in order, and ban nobody else`, async () => {
    await besieged(async ({ machine, friend, scanner }) => {
      await NameServer.start(friend, NAMES);
      await machine.write("/etc/resolv.conf", `nameserver ${friend.ipv4}\n`);
      await machine.write("/etc/portsnare/config.toml", config(format));
      await machine.start("run", "-c", "/etc/portsnare/config.toml");
      for (const source of Object.keys(NAMES)) await address(scanner, `${source}/24`);
      await Promise.all(Object.keys(NAMES).map((source) => probe(scanner, source)));
      // The one whose name server says nothing is the last to be written down, and in force long before.
      await until(
        "every ban is written down",
        async () => (await machine.history()).trimEnd().split("\n").length >= Object.keys(NAMES).length,
        20,
      );
      const lines = (await machine.history()).trimEnd().split("\n");
      assert.deepEqual(
        lines.map((line) => HISTORY_LINE.exec(line)?.[2] ?? line).toSorted(),
        Object.keys(NAMES),
      );
      const named = lines.map((line) => HISTORY_LINE.exec(line)).filter((match) => match?.[1] !== match?.[2]);
      assert.equal(named.length, Object.keys(NAMES).length - 1, "control: the names were asked for and used");
      await machine.write("/history", await machine.history());
      const found = await machine.sh(
        "fail2ban-regex --out ip /history /etc/fail2ban/filter.d/portsentry.conf",
      );
      assert.deepEqual(found.trim().split("\n").toSorted(), Object.keys(NAMES));

      const log = machine.syslog();
      for (const line of log) {
        assert.match(line, /^<\d+>\w{3} [ \d]\d [\d:]{8} portsnare\[\d+\]: [\x20-\x7e]+$/);
      }
      for (const line of log) if (format === "json") JSON.parse(line.replace(/^.*?\]: /, ""));
      assert.doesNotMatch(
        (await machine.portsnare("list", "-c", "/etc/portsnare/config.toml")).stdout,
        /192\.0\.2/,
      );
    });
  });
}

Deno.test("F22 F20: a name server that does not answer delays no block, only its line", async () => {
  await besieged(async ({ machine, friend, scanner }) => {
    await NameServer.start(friend, { [scanner.ipv4]: [] });
    await machine.write("/etc/resolv.conf", `nameserver ${friend.ipv4}\n`);
    await machine.write("/etc/portsnare/config.toml", config("text"));
    await machine.start("run", "-c", "/etc/portsnare/config.toml");
    await probe(scanner, scanner.ipv4);
    await until(
      "it is blocked",
      async () => (await machine.sh("nft list set inet portsnare banned4")).includes(scanner.ipv4),
    );
    assert.equal(await machine.history(), "", "the block must come before anybody has answered");
    await until(
      "the line is written without a name",
      async () =>
        (await machine.history()).includes(`Host: ${scanner.ipv4}/${scanner.ipv4} Port: 21 TCP Blocked`),
    );
  });
});

Deno.test("C7 C9 F20: who is only observed has a name in every line, and none of a silent name server", async () => {
  await besieged(async ({ machine, friend, scanner }) => {
    const [named, silent] = ["10.77.0.101", "10.77.0.102"];
    await NameServer.start(friend, { [named]: ["scanner", "example", "net"], [silent]: [] });
    await machine.write("/etc/resolv.conf", `nameserver ${friend.ipv4}\n`);
    await machine.sh(
      `sed -i 's/RESOLVE_HOST = "0"/RESOLVE_HOST = "1"/; s/^TCP_PORTS=.*/TCP_PORTS="21"/' /etc/portsentry/portsentry.conf`,
    );
    await machine.start("-stcp");
    for (const source of [named, silent]) await address(scanner, `${source}/24`);
    for (const source of [silent, named, named]) await probe(scanner, source);
    for (
      const line of [
        `attackalert: TCP SYN/Normal scan from host: scanner.example.net/${named} to TCP port: 21`,
        `attackalert: TCP SYN/Normal scan from host: ${silent}/${silent} to TCP port: 21`,
      ]
    ) await machine.heard(line);
    assert.equal(machine.count(`${named}/${named}`), 0);
    const lines = (await machine.history()).trimEnd().split("\n").map((line) =>
      line.replace(/^.* Host: /, "")
    );
    assert.deepEqual(lines, [
      `scanner.example.net/${named} Port: 21 TCP Blocked`,
      `${silent}/${silent} Port: 21 TCP Blocked`,
    ], "who is named waits for nobody");
  });
});

function config(format: string): string {
  return '[tcp]\nresponse = "block"\n[detect]\nscan_trigger = 0\nresolve_host = true\n' +
    `[log]\nformat = "${format}"\nburst = 100000\n`;
}

/** A SYN to port 21, which nobody answers. */
async function probe(from: Host, source: string): Promise<void> {
  await from.run(["hping3", "-q", "-c", "1", "-a", source, "-S", "-p", "21", LAN_ADDRESS]);
}
