import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/errors.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import {
  addRouteLine,
  deleteRouteLine,
  failedRouteLines,
  parseRoutes,
  RouteBackend,
} from "../../../src/respond/route.ts";
import { prefix } from "../../lab/addresses.ts";

Deno.test("addRouteLine and deleteRouteLine mark what is ours", () => {
  assert.equal(addRouteLine(prefix("192.0.2.1")), "route add blackhole 192.0.2.1 proto 112");
  assert.equal(addRouteLine(prefix("2001:db8::/64")), "route add blackhole 2001:db8::/64 proto 112 metric 1");
  assert.equal(deleteRouteLine(prefix("192.0.2.0/24")), "route del blackhole 192.0.2.0/24 proto 112");
});

Deno.test("parseRoutes reads both families and passes over anything else", () => {
  const listing =
    "blackhole 192.0.2.1 \nblackhole 10.0.0.0/8 \nblackhole 2001:db8::1 dev lo metric 1 pref medium\n" +
    "default via 10.0.0.1\nblackhole default\n\n";
  assert.deepEqual(parseRoutes(listing).map(formatPrefix), ["192.0.2.1", "10.0.0.0/8", "2001:db8::1"]);
});

Deno.test("failedRouteLines pairs each failed line with its reason", () => {
  const stderr = "RTNETLINK answers: File exists\nCommand failed -:2\nRTNETLINK answers: No such process\n" +
    "Command failed -:5\n";
  assert.deepEqual([...failedRouteLines(stderr)], [[1, "File exists"], [4, "No such process"]]);
  assert.deepEqual([...failedRouteLines("")], []);
});

Deno.test("RouteBackend.setup names the Debian package that is missing, with exit code 69", async () => {
  const backend = new RouteBackend({
    exec: () =>
      Promise.resolve({ code: 127, stdout: "", stderr: "", timedOut: false, notStarted: "not-found" }),
  });
  await assert.rejects(
    backend.setup(),
    (error) =>
      error instanceof UserError && error.exitCode === EXIT.unavailable && /iproute2/.test(error.message),
  );
  const [outcome] = await backend.block([{ target: prefix("192.0.2.1"), seconds: 5 }]);
  assert.equal(outcome?.ok, false);
});
