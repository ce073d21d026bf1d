/**
 * Programs of another Debian release: a tree that is made once, and a place to run them in, changed as a case needs it
 * and gone afterwards.
 * @module
 */
import { run } from "../../tests/lab/lab.ts";

const SCRIPT = new URL("../../scripts/debian_root.sh", import.meta.url).pathname;
/** debootstrap fetches and unpacks a whole system. */
const MAKE_SECONDS = 1200;

/** Where the programs of some packages of a Debian release are, made when first asked for. */
export async function debianTree(suite: string, packages: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run([SCRIPT, suite, ...packages], { seconds: MAKE_SECONDS });
  if (code !== 0) throw new Error(`No Debian ${suite} with ${packages.join(", ")} can be made: ${stderr}`);
  return stdout.trim();
}

/** The version of a package in a tree. */
export async function packageVersion(tree: string, name: string): Promise<string> {
  const query = ["dpkg-query", `--admindir=${tree}/var/lib/dpkg`, "-W", "-f", "${Version}", name];
  const { code, stdout, stderr } = await run(query);
  if (code !== 0) throw new Error(`${tree} has no ${name}: ${stderr}`);
  return stdout.trim();
}

/** A place to run the programs of a tree in. What they write is written beside the tree and thrown away. */
export class Place implements AsyncDisposable {
  /** Where the log socket is, and whatever else a case wants to see. Everything else is gone with the process. */
  readonly directory: string;
  readonly #tree: string;

  private constructor(directory: string, tree: string) {
    this.directory = directory;
    this.#tree = tree;
  }

  /** A place with these files put over those of the tree. */
  static async create(tree: string, files: Readonly<Record<string, string>>): Promise<Place> {
    const directory = await Deno.makeTempDir({ prefix: "portsnare-bench-" });
    for (const [path, text] of Object.entries(files)) {
      const target = `${directory}/files${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(target, text);
    }
    for (const name of ["files", "dev", "scratch"]) {
      await Deno.mkdir(`${directory}/${name}`, { recursive: true });
    }
    return new Place(directory, tree);
  }

  /** The path that programs here know as /dev/log. */
  get logSocket(): string {
    return `${this.directory}/dev/log`;
  }

  /** Written right before a program starts here. */
  get begunFile(): string {
    return `${this.directory}/begun`;
  }

  /**
   * The command that runs `argv` here. It needs a mount namespace that dies with it, which `ip netns exec` gives.
   */
  argv(argv: readonly string[]): readonly string[] {
    const script = [
      "set -e",
      'mount -t tmpfs tmpfs "$1/scratch"',
      'mkdir "$1/scratch/upper" "$1/scratch/work" "$1/scratch/root"',
      'mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/scratch/upper,workdir=$1/scratch/work" "$1/scratch/root"',
      'cp -R "$1/files/." "$1/scratch/root/"',
      '[ -e "$1/dev/null" ] || mknod -m 666 "$1/dev/null" c 1 3',
      'mount --bind "$1/dev" "$1/scratch/root/dev"',
      'mount -t proc proc "$1/scratch/root/proc"',
      'root="$1/scratch/root"; : >"$1/begun"; shift; exec chroot "$root" "$@"',
    ].join("\n");
    return ["/bin/sh", "-c", script, this.#tree, this.directory, ...argv];
  }

  /** Remove the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}
