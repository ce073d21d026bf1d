/**
 * What a run of `deno test` came to, and what many of them come to together.
 */

/** What one run came to. */
export interface Summary {
  /** What was run. */
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** Tests that were not run. */
  readonly skipped: number;
  /** What else is wrong with it; none of it is a test that failed. */
  readonly faults: readonly string[];
}

/** The last line of the runtime's pretty reporter. */
const RESULT = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm;

/**
 * Read what a run printed.
 *
 * @param run.output Without colours.
 * @param run.files The test files that were to run, relative.
 * @param run.junit The JUnit report, which names each file that ran a test.
 */
export function summarize(name: string, run: {
  readonly code: number;
  readonly output: string;
  readonly junit: string;
  readonly files: readonly string[];
}): Summary {
  const result = [...run.output.matchAll(RESULT)].at(-1);
  const [passed, failed, skipped] = [1, 2, 3].map((group) => Number(result?.[group] ?? 0));
  const idle = run.files.filter((file) => !run.junit.includes(`<testsuite name="./${file}"`));
  const faults = idle.map((file) => `${file} ran no test`);
  if (result === undefined) faults.push(`it ended before its time, with exit code ${run.code}`);
  else if (run.code !== 0 && failed === 0) faults.push(`it ended with exit code ${run.code}`);
  return { name, passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0, faults };
}

/** Whether anything is wrong. Where nobody watches, a test that was skipped is. */
export function isBad({ failed, faults, skipped }: Summary, strict: boolean): boolean {
  return failed > 0 || faults.length > 0 || (strict && skipped > 0);
}

/** The last line of all: `12 passed, 0 failed`. What is wrong with a run, and no test of it, counts as one that failed. */
export function totalLine(summaries: readonly Summary[]): string {
  const sum = (of: (summary: Summary) => number): number => summaries.reduce((all, one) => all + of(one), 0);
  const skipped = sum((one) => one.skipped);
  const failed = sum((one) => one.failed + one.faults.length);
  return `${sum((one) => one.passed)} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}
