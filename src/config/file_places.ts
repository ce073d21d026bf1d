/**
 * Finds files of the configuration that lie where others can put something else in their place (PortSentry 2 wrote its
 * list of blocked hosts to /tmp).
 * @module
 */
import type { Fault } from "../errors.ts";
import { sharedFile, sharedPlace } from "../system/private_place.ts";
import type { Config } from "./schema.ts";
import type { Problem } from "./section.ts";

/** One fault for each file of a configuration that somebody else could change: it names commands that root runs. */
export function sourceFaults(sources: readonly string[]): readonly Fault[] {
  return sources.flatMap((file) => {
    const fault = sharedFile(file);
    if (fault === undefined) return [];
    return [{
      file,
      line: 0,
      column: 0,
      message: `others could change this file: ${fault}; make it root's alone`,
    }];
  });
}

const WRITTEN = ["history", "blocked", "state", "hosts_deny", "control_socket"] as const;

/** One problem for each file that this process would write in a place that is not its own. */
export function placeProblems({ files }: Config): readonly Problem[] {
  return WRITTEN.flatMap((key) => {
    const path = files[key];
    const fault = path === undefined ? undefined : sharedPlace(path);
    return fault === undefined ? [] : [{
      path: ["files", key],
      message: `${path} is not safe there: ${fault}; use a directory that only root can write to`,
    }];
  });
}
