/**
 * The ignore list as a replay can know it: addresses and prefixes of the configuration and of its ignore files.
 *
 * Host names are left out: what they meant when the capture was taken cannot be looked up any more.
 * @module
 */
import { parseIgnoreEntry } from "../../config/ignore_entry.ts";
import { loadIgnoreFiles } from "../../config/ignore_file.ts";
import type { IgnoreConfig } from "../../config/schema.ts";
import { PrefixSet } from "../../net/prefix.ts";

/** Read the ignore list. A file that cannot be read ignores nobody, as in the daemon. */
export async function readIgnored(config: IgnoreConfig): Promise<PrefixSet> {
  const written = config.hosts.map(parseIgnoreEntry)
    .flatMap((entry) => entry.kind === "prefix" ? [entry.prefix] : []);
  const files = await loadIgnoreFiles(config.files);
  return new PrefixSet([...written, ...[...files.values()].flatMap((file) => file.prefixes)]);
}
