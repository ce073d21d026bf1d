import assert from "node:assert/strict";
import { usageError } from "../../../src/cli/usage_error.ts";

Deno.test("usageError says in one line what is wrong, what was meant and where to read on", () => {
  const table: readonly (readonly [said: string, args: readonly string[], line: string])[] = [
    [
      "Error: Unexpected option or subcommand: `chek`.\n\nDid you mean `check`?",
      ["chek"],
      'portsnare: Unexpected option or subcommand: "chek"; did you mean "check"? see: portsnare --help',
    ],
    [
      "Error: Unexpected option or subcommand: `--frob`.",
      ["list", "--frob"],
      "portsnare: Unexpected option or subcommand: --frob; see: portsnare list --help",
    ],
    [
      "Error: No matching option, command, or argument found.",
      [],
      "portsnare: A verb is missing, such as status; see: portsnare --help",
    ],
    [
      "Error: No matching option or argument found.",
      ["unblock"],
      'portsnare: Something is missing after "unblock"; see: portsnare unblock --help',
    ],
    [
      "Error: Expected a `ADDRESS`, but too few arguments.",
      ["why"],
      "portsnare: ADDRESS is missing; see: portsnare why --help",
    ],
    [
      "Error: Missing option `--local`.",
      ["replay", "x"],
      "portsnare: The option --local is missing; see: portsnare replay --help",
    ],
    [
      'Error: `ADDRESS`: "1.2.3" is not an IPv4 or IPv6 address.',
      ["why", "1.2.3"],
      'portsnare: ADDRESS: "1.2.3" is not an IPv4 or IPv6 address; see: portsnare why --help',
    ],
  ];
  for (const [said, args, line] of table) assert.equal(usageError(said, args), line);
});
