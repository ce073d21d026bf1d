/**
 * The program: arguments in, exit code out.
 * @module
 */
import { message } from "@optique/core/message";
import { run } from "@optique/run";
import process from "node:process";
import { commandLine, translatePortsentryArguments } from "./cli/command_line.ts";
import { dispatch } from "./cli/dispatch.ts";
import { usageError } from "./cli/usage_error.ts";
import { EXIT, type ExitCode, messageOf, UserError } from "./errors.ts";
import { escapeText } from "./record/escape.ts";
import { BUILD, VERSION } from "./version.ts";

/** Carry out one command line. @returns What the process leaves with. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  let told = false;
  const command = run(commandLine, {
    programName: "portsnare",
    args: translatePortsentryArguments(args),
    help: { command: true, option: { names: ["-h", "--help"] } },
    version: `portsnare ${VERSION} (${BUILD})`,
    brief: message`portsnare detects port scans of this host and keeps the scanners out.`,
    completion: { command: { names: ["completions"] } },
    errorExitCode: EXIT.usage,
    aboveError: "none",
    stderr: (text) => {
      // The first says what is wrong; what may follow is the help, which nobody asked for.
      if (!told) console.error(usageError(text, args));
      told = true;
    },
    usageLine: [{ type: "argument", metavar: "COMMAND …" }],
    termWidth: "auto",
  });
  try {
    return await dispatch(command);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok;
    if (error instanceof UserError) {
      console.error(escapeText(error.message).split("\n").map((line) => `portsnare: ${line}`).join("\n"));
      return error.exitCode;
    }
    console.error(`portsnare: internal error: ${error instanceof Error ? error.stack : messageOf(error)}`);
    return EXIT.internal;
  }
}

// Without `await` here: the built program is a script, which has none at its top.
if (import.meta.main) void main(Deno.args).then((code) => process.exit(code));
