/**
 * What `portsnare check` asks of this host; nothing here changes anything.
 * @module
 */
import { type IgnoreFile, loadIgnoreFiles } from "../../config/ignore_file.ts";
import { loadConfig, type LoadedConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { messageOf } from "../../errors.ts";
import { SocketTable } from "../../host/sockets.ts";
import type { Listener } from "../../net/listener.ts";
import { EXEC_PATH } from "../../system/exec.ts";
import { regularFile } from "../../system/regular_file.ts";
import { type EngineChoice, forecastEngine, realForecastFacts } from "./engine_forecast.ts";

/** What is asked of the host. */
export interface CheckHost {
  /** Reads a configuration. */
  readonly load: (path: string) => Promise<LoadedConfig>;
  /** Reads ignore files. */
  readonly ignoreFiles: (paths: readonly string[]) => Promise<ReadonlyMap<string, IgnoreFile>>;
  /** The text of a small file; `undefined` when it cannot be read. */
  readonly readText: (path: string) => Promise<string | undefined>;
  /** Why a file can never be edited; `undefined` when it is a regular file, or not there yet. */
  readonly editFault: (path: string) => string | undefined;
  /** Whether a program is there, by its name or path. */
  readonly hasProgram: (name: string) => Promise<boolean>;
  /** The ports that are served; `undefined` when the kernel cannot be asked. */
  readonly listeners: () => readonly Listener[] | undefined;
  /** Which engine the daemon would use. */
  readonly engine: (config: Config) => Promise<EngineChoice>;
}

/** The host that this process runs on. */
export function realCheckHost(): CheckHost {
  return {
    load: (path) => loadConfig(path, { refuseSharedPlaces: true }),
    ignoreFiles: (paths) => loadIgnoreFiles(paths),
    readText: async (path) => await Deno.readTextFile(path).catch(() => undefined),
    editFault,
    hasProgram,
    listeners,
    engine: async (config) =>
      await forecastEngine(config, realForecastFacts(config, await hasProgram("nft"))),
  };
}

function editFault(path: string): string | undefined {
  try {
    regularFile(path);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function hasProgram(name: string): Promise<boolean> {
  const paths = name.includes("/") ? [name] : EXEC_PATH.split(":").map((directory) => `${directory}/${name}`);
  for (const path of paths) {
    const mode = await Deno.stat(path).then((info) => info.isFile ? info.mode ?? 0 : 0, () => 0);
    if ((mode & 0o111) !== 0) return true;
  }
  return false;
}

function listeners(): readonly Listener[] | undefined {
  try {
    using table = new SocketTable();
    return table.listeners();
  } catch {
    // A container without netlink, or a kernel without inet_diag: the report does without, and says so.
    return undefined;
  }
}
