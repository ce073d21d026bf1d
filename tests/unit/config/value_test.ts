import assert from "node:assert/strict";
import fc from "fast-check";
import { command, duration, path, paths, ports, type ServicePort } from "../../../src/config/value.ts";

const services: ServicePort = (name, protocol) =>
  name === "domain" ? 53 : name === "http" && protocol === "tcp" ? 80 : undefined;

/** What a list of ports comes to; `undefined` when it is refused. */
function portsText(items: unknown, protocol: "tcp" | "udp" = "tcp"): string | undefined {
  const checked = ports(protocol, services).safeParse(items);
  return checked.success ? checked.data.toString() : undefined;
}

Deno.test("ports takes numbers, ranges and service names", () => {
  const rows: [items: unknown, text: string | undefined][] = [
    [[], ""],
    [[1, 2, 3, 5], "1-3,5"],
    [["5-11", "7", 9], "5-11"],
    [["domain", "http"], "53,80"],
    [[0, 65535], "0,65535"],
    [["0-65535"], "0-65535"],
    [[65536], undefined],
    [[-1], undefined],
    [[1.5], undefined],
    [["11-5"], undefined],
    [["1,2"], undefined],
    [["HTTP"], undefined],
    [[""], undefined],
    [[true], undefined],
    [["5-"], undefined],
    ["1-5", undefined],
    [80, undefined],
    [Array.from({ length: 4097 }, () => 1), undefined],
  ];
  for (const [items, text] of rows) assert.equal(portsText(items), text, JSON.stringify(items)?.slice(0, 60));
  assert.equal(portsText(["http"], "udp"), undefined, "http is no UDP service here");
});

Deno.test("ports holds exactly the ports that are written", () => {
  const port = fc.integer({ min: 0, max: 65535 });
  const range = fc.tuple(port, port).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  fc.assert(fc.property(fc.array(range, { maxLength: 8 }), port, (ranges, probe) => {
    const checked = ports("tcp", services).safeParse(ranges.map(([first, last]) => `${first}-${last}`));
    assert.ok(checked.success);
    assert.equal(checked.data.has(probe), ranges.some(([first, last]) => first <= probe && probe <= last));
  }));
});

Deno.test("ports names each wrong item by its number", () => {
  const checked = ports("udp", services).safeParse([1, "x", 2, 70000]);
  assert.ok(!checked.success);
  assert.deepEqual(checked.error.issues.map((issue) => issue.path), [[1], [3]]);
});

Deno.test("duration keeps to its limits", () => {
  const rows: [limits: { min: number; permanent?: boolean }, text: unknown, seconds: number | undefined][] = [
    [{ min: 0 }, "0s", 0],
    [{ min: 1 }, "0s", undefined],
    [{ min: 3600 }, "59m", undefined],
    [{ min: 3600 }, "60m", 3600],
    [{ min: 1 }, "permanent", undefined],
    [{ min: 1, permanent: true }, "permanent", Infinity],
    [{ min: 1 }, 10, undefined],
    [{ min: 1 }, "ten", undefined],
  ];
  for (const [limits, text, seconds] of rows) {
    const checked = duration(limits).safeParse(text);
    assert.equal(checked.success ? checked.data : undefined, seconds, JSON.stringify([limits, text]));
  }
});

Deno.test("path and paths take absolute paths of files", () => {
  const rows: [text: unknown, good: boolean][] = [
    ["/a", true],
    ["/var/lib/a b", true],
    ["a", false],
    ["./a", false],
    ["/", false],
    ["/a/", false],
    ["", false],
    ["/a\0b", false],
    [`/${"x".repeat(4095)}`, false],
    [1, false],
  ];
  for (const [text, good] of rows) {
    assert.equal(path().safeParse(text).success, good, String(text).slice(0, 20));
    assert.equal(paths().safeParse([text]).success, good, String(text).slice(0, 20));
  }
});

Deno.test("command takes a line for the shell, or a program with its arguments", () => {
  const rows: [value: unknown, good: boolean][] = [
    ["iptables -I INPUT -s $TARGET$ -j DROP", true],
    [["/bin/true"], true],
    [["/bin/echo", ""], true],
    ["", false],
    [[], false],
    [[1], false],
    [{}, false],
    ["x".repeat(4097), false],
  ];
  for (const [value, good] of rows) {
    assert.equal(command().safeParse(value).success, good, JSON.stringify(value).slice(0, 40));
  }
});
