/**
 * Whether a file lies where only root and its owner decide what is there.
 *
 * Whoever can write to a directory can put a symbolic link or another file in the place of ours, and have root write to
 * it, or read lies from it.
 * @module
 */
import { dirname, resolve } from "node:path";

const OTHERS_WRITE = 0o002;
const GROUP_WRITE = 0o020;
/** Nobody but the owner of an entry can rename or remove it (chmod(1), "restricted deletion flag"). */
const STICKY = 0o1000;
const MAX_DEPTH = 64;

/** Who asks. */
export interface Self {
  /** The effective user. */
  readonly uid: number;
  /** The effective group. */
  readonly gid: number;
}

/**
 * Why others have a say in what is at `path`, in words; `undefined` when nobody has.
 *
 * What is missing is looked at from its nearest parent on, for that is where it would be made.
 */
export function sharedPlace(path: string, self: Self = processSelf()): string | undefined {
  const directory = dirname(resolve(path));
  // Both as it is written and as it is meant: a link may lie in one bad place and lead to another.
  return faultOnTheWay(directory, self) ?? faultOnTheWay(realPath(directory), self);
}

/** Why others have a say in what the file at `path` says: by its place, its owner or its mode. */
export function sharedFile(path: string, self: Self = processSelf()): string | undefined {
  const place = sharedPlace(path, self);
  const info = lstat(realPath(resolve(path)));
  if (place !== undefined || info === undefined) return place;
  return faultOf(path, { info, self, isPlaceOfFile: true });
}

function faultOnTheWay(directory: string, self: Self): string | undefined {
  let isPlaceOfFile = true;
  for (let at = directory, depth = 0; depth < MAX_DEPTH; at = dirname(at), depth++) {
    const info = lstat(at);
    if (info !== undefined) {
      const fault = faultOf(at, { info, self, isPlaceOfFile });
      if (fault !== undefined) return fault;
      isPlaceOfFile = false;
    }
    if (at === "/") return undefined;
  }
  return "it is too deep in the tree";
}

function faultOf(
  path: string,
  { info, self, isPlaceOfFile }: {
    readonly info: Deno.FileInfo;
    readonly self: Self;
    readonly isPlaceOfFile: boolean;
  },
): string | undefined {
  if (info.uid !== 0 && info.uid !== self.uid) return `${path} belongs to user ${info.uid}`;
  // A link has no permissions of its own; where it leads is looked at as well.
  if (info.isSymlink) return undefined;
  const mode = info.mode ?? 0;
  // In a sticky directory others cannot replace what is there, but they can be there first.
  if ((mode & STICKY) !== 0 && !isPlaceOfFile) return undefined;
  if ((mode & OTHERS_WRITE) !== 0) return `everybody can write to ${path}`;
  const isOwnGroup = info.gid === 0 || info.gid === self.gid;
  return (mode & GROUP_WRITE) !== 0 && !isOwnGroup ? `group ${info.gid} can write to ${path}` : undefined;
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    // Not there, or not to be seen: then it cannot be written by us either, which is told when it is tried.
    return undefined;
  }
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path === "/" ? path : resolve(realPath(dirname(path)), path.slice(path.lastIndexOf("/") + 1));
  }
}

function processSelf(): Self {
  return { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
}
