/**
 * A command that was understood, to the verb that carries it out.
 * @module
 */
import { loadConfig } from "../config/load.ts";
import { type Config, configSchema, defaultConfig } from "../config/schema.ts";
import { loadServices } from "../config/services_file.ts";
import { ConfigError, type ExitCode, messageOf, UserError } from "../errors.ts";
import { escapeText } from "../record/escape.ts";
import { block, reload, unblock } from "./change.ts";
import { check } from "./check.ts";
import type { Command, CommandOf } from "./command.ts";
import { configPath } from "./config_path.ts";
import { convert } from "./convert.ts";
import { list, type QueryOptions, status, top, why } from "./query.ts";
import { LineBuffer } from "./line_buffer.ts";
import { replay } from "./replay.ts";
import { run } from "./run.ts";

/** Carry out a command. @returns What the process leaves with. */
export async function dispatch(command: Command): Promise<ExitCode> {
  switch (command.verb) {
    case "run":
      return await run(command);
    case "check":
      return await check({ config: configPath(command.config), json: command.json }, print);
    case "convert":
      return await convert(command, print);
    case "replay":
      return await replayed(command);
    case "status":
      return await status(await query(command));
    case "list":
      return await list(await query(command));
    case "top":
      return await top(await query(command));
    case "why":
      return await why(command.address, await query(command));
    case "block":
      return await block(command, await query(command));
    case "unblock":
      return await unblock(command, await query(command));
    case "reload":
      return await reload(await query(command));
  }
}

/** Where the daemon is asked. A configuration that is wrong must not keep anybody from asking it. */
async function query(
  command: { readonly config?: string | undefined; readonly json: boolean },
): Promise<QueryOptions> {
  const config = await configOrDefaults(command.config);
  const { control_socket, state } = config.files;
  // Reasons and what commands said may hold anything.
  const printText = (text: string): void => print(escapeText(text));
  return { socket: control_socket, state, json: command.json, print: command.json ? print : printText, warn };
}

async function configOrDefaults(given: string | undefined): Promise<Config> {
  try {
    return (await loadConfig(configPath(given))).config;
  } catch (error) {
    if (given !== undefined || !(error instanceof ConfigError)) throw error;
    return defaultConfig();
  }
}

async function replayed(command: CommandOf<"replay">): Promise<ExitCode> {
  const options = await replayOptions(command);
  const output = new LineBuffer(print);
  try {
    return await replay(options, (line) => output.add(line));
  } finally {
    output.flush();
  }
}

async function replayOptions(command: CommandOf<"replay">): Promise<Parameters<typeof replay>[0]> {
  const config = command.config === undefined
    ? configSchema(await loadServices()).parse({ tcp: { response: "block" }, udp: { response: "block" } })
    : (await loadConfig(command.config)).config;
  return {
    capture: command.capture,
    local: command.local ?? [],
    ...(command.open === undefined ? {} : { open: command.open }),
    config,
    json: command.json,
  };
}

function print(line: string): void {
  try {
    console.log(line);
  } catch (cause) {
    // Who closed the pipe has read what they wanted.
    if (cause instanceof Deno.errors.BrokenPipe) throw cause;
    throw new UserError(`Cannot write to standard output: ${messageOf(cause)}`, { cause });
  }
}

function warn(line: string): void {
  console.error(`portsnare: ${escapeText(line)}`);
}
