/**
 * What `deno bench --json` found out.
 * @module
 */

/** One function that was timed. */
export interface BenchRow {
  readonly group: string;
  readonly name: string;
  readonly meanNs: number;
  readonly p99Ns: number;
}

/** Deno's own form; only what is read here. */
interface BenchJson {
  readonly benches: readonly {
    readonly group: string | null;
    readonly name: string;
    readonly results: readonly { readonly ok?: { readonly avg: number; readonly p99: number } }[];
  }[];
}

/** The rows, in order. @throws {Error} When one of them failed. */
export function benchRows(json: string): readonly BenchRow[] {
  // Deno prints this form (version 1); a result that is missing is checked for below.
  const { benches } = JSON.parse(json) as BenchJson;
  return benches.map(({ group, name, results }) => {
    const ok = results[0]?.ok;
    if (ok === undefined) throw new Error(`The bench "${name}" failed`);
    return { group: group ?? "", name, meanNs: ok.avg, p99Ns: ok.p99 };
  });
}
