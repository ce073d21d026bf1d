/**
 * `portsnare check`: is this configuration right, and what will it do here.
 * @module
 */
import { EXIT, type ExitCode } from "../errors.ts";
import { type CheckHost, realCheckHost } from "./check/check_host.ts";
import { checkConfig } from "./check/report.ts";
import { errorLines, reportText } from "./check/text.ts";

/** The command line of this verb. */
export interface CheckOptions {
  /** Path of the configuration. */
  readonly config: string;
  /** Whether to print JSON. */
  readonly json: boolean;
}

/** Carry out `portsnare check`. */
export async function check(
  options: CheckOptions,
  print: (text: string) => void,
  { host = realCheckHost(), complain = (line) => console.error(`portsnare: ${line}`) }: {
    /** Takes what keeps the daemon from working, one line each. Default: standard error. */
    readonly complain?: (line: string) => void;
    /** Whom to ask. Default: this host. */
    readonly host?: CheckHost;
  } = {},
): Promise<ExitCode> {
  const report = await checkConfig(options.config, host);
  if (options.json) print(JSON.stringify(report));
  else {
    errorLines(report).forEach(complain);
    if (!report.configWrong) print(reportText(report));
  }
  if (report.ok) return EXIT.ok;
  return report.configWrong ? EXIT.config : EXIT.unavailable;
}
