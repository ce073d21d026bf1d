import assert from "node:assert/strict";
import { formatTable } from "../../../src/cli/table.ts";

const HEAD = ["ADDRESS", "N", "REASON"];

Deno.test("formatTable aligns columns and leaves no trailing blanks", () => {
  assert.equal(
    formatTable(HEAD, [["192.0.2.1", "1", "probed 3 ports"], ["::1", "12", ""]], 80),
    ["ADDRESS    N   REASON", "192.0.2.1  1   probed 3 ports", "::1        12"].join("\n"),
  );
});

Deno.test("formatTable wraps the last column below itself", () => {
  assert.equal(
    formatTable(HEAD, [["192.0.2.1", "1", "probed several ports and more"]], 34),
    ["ADDRESS    N  REASON", "192.0.2.1  1  probed several ports", "              and more"].join("\n"),
  );
});

Deno.test("formatTable gives the last column lines of its own when there is no room beside the others", () => {
  const row = ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "1", "probed 3 ports in a minute"];
  assert.equal(
    formatTable(HEAD, [row], 50),
    [
      "ADDRESS                                 N",
      "    REASON",
      "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff  1",
      "    probed 3 ports in a minute",
    ].join("\n"),
  );
});

Deno.test("formatTable puts the first column above the others when these do not fit beside it", () => {
  const row = ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "1", "probed 3 ports in a minute"];
  assert.equal(
    formatTable(HEAD, [row, ["::1", "12", "x"]], 40),
    [
      "ADDRESS",
      "    N   REASON",
      "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
      "    1   probed 3 ports in a minute",
      "::1",
      "    12  x",
    ].join("\n"),
  );
});

Deno.test("formatTable takes as many rows as there may be bans", () => {
  const rows = Array.from({ length: 131_072 }, (_, i) => [`10.0.0.${i}`, "1", "probed 3 ports"]);
  assert.equal(formatTable(HEAD, rows, 80).split("\n").length, 131_073);
});
