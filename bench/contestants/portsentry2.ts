/**
 * PortSentry 2 of Debian unstable: its stock configuration, made to block with iptables.
 *
 * A whole unstable system can often not be installed; the package alone, put into the latest release that has the
 * libraries which it needs, is the same program.
 * @module
 */
import { run } from "../../tests/lab/lab.ts";
import { messageOf } from "../../src/errors.ts";
import type { Contestant } from "./contestant.ts";
import { debianTree } from "./debian_tree.ts";
import { startPortSentry } from "./portsentry.ts";

const CACHE = "/var/cache/portsnare-roots/portsentry2";
const DOWNLOAD_MS = 120_000;
const CONFIG = "/etc/portsentry/portsentry.conf";
const PROGRAM = "/usr/sbin/portsentry";

/** Its own example, and the same for IPv6, which it sees too. */
const KILL_ROUTE =
  "case $TARGET$ in *:*) /sbin/ip6tables -I INPUT -s $TARGET$ -j DROP;; *) /sbin/iptables -I INPUT -s $TARGET$ -j DROP;; esac";

/** Its successor. */
export const portsentry2: Contestant = {
  name: "PortSentry 2",
  async version() {
    try {
      await fetchPackage();
      return (await Deno.readTextFile(`${CACHE}/version`)).trim();
    } catch (error) {
      console.error(`bench: PORTSENTRY 2 IS LEFT OUT, because it cannot be had: ${messageOf(error)}`);
      return undefined;
    }
  },
  diskBytes: async () => (await Deno.stat(`${CACHE}/tree${PROGRAM}`)).size,
  async start(host) {
    const config = await Deno.readTextFile(`${CACHE}/tree${CONFIG}`);
    return await startPortSentry(host, {
      tree: `${CACHE}/tree:${await base()}`,
      files: { [CONFIG]: changed(config), "/etc/hosts.deny": "" },
      argv: ["/bin/sh", "-c", `exec ${PROGRAM} --stealth`],
      daemons: 1,
    });
  },
};

async function base(): Promise<string> {
  return await debianTree("trixie", ["iptables", "libpcap0.8t64"]);
}

/** Fetch and unpack the package, once. */
async function fetchPackage(): Promise<void> {
  await base();
  if (await Deno.stat(`${CACHE}/version`).then(() => true, () => false)) return;
  await Deno.mkdir(CACHE, { recursive: true });
  await download("dists/sid/main/binary-amd64/Packages.xz", "packages.xz");
  const packages = await shell("xz -dc packages.xz");
  const entry = packages.split("\n\n").find((paragraph) => paragraph.startsWith("Package: portsentry\n")) ??
    "";
  await download(field(entry, "Filename"), "portsentry.deb");
  await shell(`echo "${field(entry, "SHA256")}  portsentry.deb" | sha256sum --check --quiet`);
  await shell("dpkg-deb -x portsentry.deb tree && rm packages.xz portsentry.deb");
  // Last: it says that everything else is there.
  await Deno.writeTextFile(`${CACHE}/version`, field(entry, "Version"));
}

/** The Debian mirror that this machine is set up with. */
async function mirror(): Promise<string> {
  const uris = await shell("apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages'");
  const found = uris.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined) throw new Error("apt knows no Debian mirror: run apt-get update");
  return found.replace(/\/$/, "");
}

async function download(path: string, file: string): Promise<void> {
  const uri = `${await mirror()}/${path}`;
  const response = await fetch(uri, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
  if (!response.ok) throw new Error(`${uri}: ${response.status} ${response.statusText}`);
  await Deno.writeFile(`${CACHE}/${file}`, await response.bytes());
}

async function shell(script: string): Promise<string> {
  const { code, stdout, stderr } = await run(["/bin/sh", "-c", `cd ${CACHE} && ${script}`]);
  if (code !== 0) throw new Error(`${script}: ${stderr.trim()}`);
  return stdout;
}

/** A field of Debian's list of packages. */
function field(entry: string, name: string): string {
  const value = new RegExp(`^${name}: (\\S+)$`, "m").exec(entry)?.[1];
  if (value === undefined) throw new Error(`Debian's list of packages has no ${name} of portsentry`);
  return value;
}

/** It wants each key once; all those that block are comments in its own file. */
function changed(config: string): string {
  const rest = config.split("\n").filter((line) => !/^(BLOCK_TCP|BLOCK_UDP|KILL_ROUTE)\b/.test(line));
  return [...rest, 'BLOCK_TCP="1"', 'BLOCK_UDP="1"', `KILL_ROUTE="${KILL_ROUTE}"`, ""].join("\n");
}
