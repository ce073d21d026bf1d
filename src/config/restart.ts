/**
 * Which changes of a configuration a reload cannot carry out.
 * @module
 */
import { type Config, KEY_DOCS } from "./schema.ts";

/** The keys, as `section.key`, that differ and are read only when the daemon starts. */
export function restartKeys(started: Config, now: Config): readonly string[] {
  const [before, after] = [valuesOf(started), valuesOf(now)];
  return [...KEY_DOCS].flatMap(([section, keys]) =>
    [...keys].filter(([, doc]) => doc.needsRestart === true).map(([key]) => `${section}.${key}`)
  ).filter((name) => before.get(name) !== after.get(name));
}

/** Every key with its value, by `section.key`. */
function valuesOf(config: Config): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(config).flatMap(([section, keys]) =>
      Object.entries<unknown>(keys).map(([key, value]) => [`${section}.${key}`, value] as const)
    ),
  );
}
