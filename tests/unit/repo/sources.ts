/**
 * The files of this repository, for the tests of its own rules.
 * @module
 */

const ROOT = new URL("../../../", import.meta.url).pathname;

/** A file of this repository. */
export interface SourceFile {
  /** Path from the top of the repository, such as `src/net/ports.ts`. */
  readonly path: string;
  /** What stands in it. */
  readonly text: string;
}

/** An import statement (or re-export) of one of our own files. */
export interface Import {
  /** The file that is imported, from the top of the repository. */
  readonly target: string;
  /** Whether only types are imported, which leaves nothing in the running program. */
  readonly typeOnly: boolean;
}

/** The files below `folders` whose names end in one of `endings`. */
export async function sourceFiles(
  folders: readonly string[],
  endings: readonly string[],
): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = [];
  for (const folder of folders) await collect(folder, endings, files);
  if (files.length === 0) {
    throw new Error(`there is no file below ${folders.join(", ")}: is this the repository?`);
  }
  return files.toSorted((a, b) => a.path < b.path ? -1 : 1);
}

/** One file; `undefined` when it is not there. */
export async function sourceFile(path: string): Promise<SourceFile | undefined> {
  try {
    return { path, text: await Deno.readTextFile(ROOT + path) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What a file imports of our own. */
export function importsOf({ path, text }: SourceFile): readonly Import[] {
  const statements = text.matchAll(
    /^(import|export)\s+(type\s+)?([^;"']*?\sfrom\s+)?["'](\.[^"']+)["'];?$/gm,
  );
  return [...statements].map((match) => ({
    target: new URL(match[4] ?? "", `file:///${path}`).pathname.slice(1),
    typeOnly: match[2] !== undefined || onlyTypes(match[3] ?? ""),
  }));
}

/** Whether every name between the braces is marked as a type. */
function onlyTypes(clause: string): boolean {
  const names = /\{([^}]*)\}/.exec(clause)?.[1]?.split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

async function collect(folder: string, endings: readonly string[], files: SourceFile[]): Promise<void> {
  for await (const entry of Deno.readDir(ROOT + folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) await collect(path, endings, files);
    else if (entry.isFile && endings.some((ending) => entry.name.endsWith(ending))) {
      files.push({ path, text: await Deno.readTextFile(ROOT + path) });
    }
  }
}
