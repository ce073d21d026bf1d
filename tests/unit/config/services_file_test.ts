import assert from "node:assert/strict";
import fc from "fast-check";
import { loadServices, parseServices } from "../../../src/config/services_file.ts";

const TEXT = `# Network services
ssh\t\t22/tcp\t\t\t\t# SSH Remote Login Protocol
domain\t\t53/tcp
domain\t\t53/udp
http\t\t80/tcp\t\twww www-http\t# WorldWideWeb HTTP
www\t\t8080/tcp
bad\t\t99999/tcp
worse\t\tx/tcp
sctp-only\t9/sctp
 indented\t7/udp
last 1/tcp`;

Deno.test("parseServices finds names and aliases by protocol, the first line first", () => {
  const find = parseServices(TEXT);
  const rows: [name: string, protocol: "tcp" | "udp", port: number | undefined][] = [
    ["ssh", "tcp", 22],
    ["ssh", "udp", undefined],
    ["domain", "udp", 53],
    ["www", "tcp", 80],
    ["www-http", "tcp", 80],
    ["bad", "tcp", undefined],
    ["worse", "tcp", undefined],
    ["sctp-only", "tcp", undefined],
    ["indented", "udp", 7],
    ["last", "tcp", 1],
    ["SSH", "tcp", undefined],
    ["", "tcp", undefined],
    ["#", "tcp", undefined],
  ];
  for (const [name, protocol, port] of rows) assert.equal(find(name, protocol), port, `${name}/${protocol}`);
});

Deno.test("parseServices takes any text, and every port that it gives is one", () => {
  const line = fc.array(fc.constantFrom("a", "22/tcp", "70000/udp", "#", "\t", " ", "/", "\0"), {
    maxLength: 6,
  });
  fc.assert(fc.property(fc.array(line.map((all) => all.join(" "))), (lines) => {
    const port = parseServices(lines.join("\n"))("a", "tcp");
    assert.ok(port === undefined || port === 22);
  }));
});

Deno.test("loadServices knows no names when there is no file", async () => {
  assert.equal((await loadServices("/nonexistent/services"))("ssh", "tcp"), undefined);
});
