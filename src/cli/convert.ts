/**
 * `portsnare convert`: a PortSentry configuration in, commented TOML out.
 * @module
 */
import { checkTranslation } from "../config/load.ts";
import { isPortsentryConf } from "../config/portsentry/option_file.ts";
import {
  decodeBytes,
  modeFileFor,
  readModeFile,
  type SourceText,
  translateFiles,
} from "../config/portsentry/read.ts";
import { tomlDocument } from "../config/portsentry/toml_document.ts";
import { doubtsAbout } from "../config/doubts.ts";
import { configSchema } from "../config/schema.ts";
import { readConfigBytes } from "../config/text_file.ts";
import { ConfigError, EXIT, type ExitCode, messageOf, UserError } from "../errors.ts";
import { replaceFile } from "../system/atomic_file.ts";

/** What is converted. */
export interface ConvertInput {
  /** The portsentry.conf. */
  readonly conf: SourceText;
  /** The file that sets TCP_MODE and UDP_MODE. Default: there is none. */
  readonly modeFile?: SourceText | undefined;
  /** Ignore files whose entries are written into the TOML. Default: none; the TOML names the files. */
  readonly ignoreFiles?: readonly SourceText[];
}

/** The command line of this verb. */
export interface ConvertOptions {
  /** Path of the portsentry.conf. */
  readonly file: string;
  /** Path of the file that sets the modes. Default: the one beside `file`, when there is one. */
  readonly defaults?: string | undefined;
  /** Paths of ignore files to take over. */
  readonly ignore: readonly string[];
  /** Where to write. Default: print. */
  readonly output?: string | undefined;
}

/** Everybody may read how this host is watched, as with PortSentry's own files. */
const OUTPUT_MODE = 0o644;

/** The TOML for a PortSentry configuration. Throws a {@link UserError} with every fault that keeps it from loading. */
export function convertPortsentry({ conf, modeFile, ignoreFiles }: ConvertInput): string {
  const translation = translateFiles(conf, modeFile);
  try {
    const { config } = checkTranslation(translation, configSchema(() => undefined));
    return tomlDocument({ translation, doubts: doubtsAbout(config), ignoreFiles: ignoreFiles ?? [] });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError(error.message, { exitCode: EXIT.badData, cause: error });
  }
}

/** Carry out `portsnare convert`. */
export async function convert(options: ConvertOptions, print: (text: string) => void): Promise<ExitCode> {
  const conf = await readSource(options.file);
  if (!isPortsentryConf(conf.path, conf.text)) {
    throw new UserError(`${conf.path}: this is no portsentry.conf: it sets none of PortSentry's options`, {
      exitCode: EXIT.badData,
    });
  }
  const modeFile = options.defaults === undefined
    ? await readModeFile(modeFileFor(options.file))
    : await readSource(options.defaults);
  const ignoreFiles: SourceText[] = [];
  for (const path of options.ignore) ignoreFiles.push(await readSource(path));
  const toml = convertPortsentry({ conf, modeFile, ignoreFiles });
  if (options.output === undefined) {
    print(toml.trimEnd());
    return EXIT.ok;
  }
  try {
    replaceFile(options.output, toml, { mode: OUTPUT_MODE });
  } catch (cause) {
    throw new UserError(`Cannot write ${options.output}: ${messageOf(cause)}`, { cause });
  }
  print(`Wrote ${options.output}. Read its comments, then try it: portsnare check -c ${options.output}`);
  return EXIT.ok;
}

async function readSource(path: string): Promise<SourceText> {
  try {
    return { path, text: decodeBytes(await readConfigBytes(path)) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // To convert it, a configuration is data.
    throw new UserError(error.message, { exitCode: EXIT.badData, cause: error });
  }
}
