/**
 * Case 2: how many of the open ports a scan still tells.
 * @module
 */
import { type Case, type Entrant, gistOf, only, type Report, together, type Turns } from "../case.ts";
import { figure } from "../measure/format.ts";
import { portsLearnt } from "../measure/nmap.ts";
import { largest, median } from "../measure/statistics.ts";
import { OPEN_PORTS, Scene } from "../scene.ts";

/** A way to scan. */
interface Scan {
  readonly name: string;
  readonly argv: readonly string[];
  /** How many ports it asks for. */
  readonly ports: number;
  /** How often it is run, of {@link RUNS}. */
  readonly share: number;
  /** Whether it mostly waits, so that many at once do not hold anybody up. */
  readonly waits: boolean;
}

/** Five are open. The others are closed, and trapped by every contestant with its stock list of ports. */
const PORTS = [1, 11, 15, 79, 111, 119, 143, ...OPEN_PORTS];
/** What nmap -F asks for. */
const COMMON_PORT_COUNT = 100;
const TYPES = ["-sS", "-sT", "-sF", "-sX", "-sN"];
/** A silent host keeps nmap busy for minutes when it waits for a second each time, and asks again and again. */
const PATIENCE = ["--initial-rtt-timeout", "400ms", "--max-rtt-timeout", "400ms", "--max-retries"];
const SCANS: readonly Scan[] = [
  ...TYPES.map((type) => ({
    name: `${type} -T4`,
    argv: [type, "-T4", ...PATIENCE, "1", "-p", PORTS.join(",")],
    ports: PORTS.length,
    share: 1,
    waits: false,
  })),
  ...TYPES.map((type) => ({
    name: `${type} -T2`,
    argv: [type, "-T2", ...PATIENCE, "0", "-p", PORTS.join(",")],
    ports: PORTS.length,
    share: 1,
    waits: true,
  })),
  {
    name: "-sS -T4 -F",
    argv: ["-sS", "-T4", "-F", "--max-retries", "1"],
    ports: COMMON_PORT_COUNT,
    share: 0.25,
    waits: true,
  },
];
const FORM = ["-n", "-Pn", "-oG", "-"];
const RUNS = 20;
const QUICK_RUNS = 4;
const FIRST_NUMBER = 1000;
/** So many scans run at the same time, over all contestants. */
const AT_ONCE = { busy: 24, waiting: 80 } as const;
const SECONDS = 120;

/** What each run of a scan learnt, by {@link keyOf}. */
type Learnt = Map<string, number[]>;

/** See {@link Case}. */
export const exposure: Case = {
  name: "exposure",
  title: "2. Exposure",
  about:
    `How many of five open ports (${
      OPEN_PORTS.join(", ")
    }) nmap tells from closed ones: median, in brackets the worst, ` +
    `and of how many runs, each from an address that was not seen before. It asks for these and ${
      PORTS.length - OPEN_PORTS.length
    } closed ports, with -F for its ${COMMON_PORT_COUNT} most common ones, in an order that it draws anew each time, ` +
    "well-known ones first; what it asks before its first closed port is answered whatever anybody does. All contestants are up at the same " +
    "time, each on hosts of its own, and are scanned in turn.",
  async run(field, { quick }): Promise<Report> {
    const entrants = only(field, "no detector", "PortSentry", "portsnare")
      .filter(({ name }) => !name.includes("trigger"));
    const turns = await together(entrants, (up) => scanned(up, quick ? QUICK_RUNS : RUNS));
    const keys = SCANS.flatMap((scan) => ([4, 6] as const).map((family) => keyOf(scan, family)));
    const cell = (results: readonly Learnt[], key: string): string => {
      const all = results.flatMap((result) => result.get(key) ?? []);
      return `${figure(median(all))} (${figure(largest(all))}), ${all.length}`;
    };
    return {
      tables: [{
        head: ["nmap", ...turns.map(({ contestant }) => contestant.name)],
        rows: keys.map((key) => [key, ...turns.map(({ results }) => cell(results, key))]),
      }],
      notes: [],
      gist: ["-sS -T4, IPv4", "-sS -T4, IPv6"].map((key) =>
        gistOf(`open ports of five that nmap ${key} tells: median (worst)`, turns, (results) => {
          return cell(results, key).replace(/,.*/, "");
        })
      ),
    };
  },
};

function keyOf({ name }: Scan, family: 4 | 6): string {
  return `${name}, IPv${family}`;
}

async function scanned(entrants: readonly Entrant[], runs: number): Promise<readonly Turns<Learnt>[]> {
  const learnt = entrants.map((entrant) => ({ ...entrant, learnt: new Map<string, number[]>() }));
  const waiting: (() => Promise<void>)[] = [];
  const busy: (() => Promise<void>)[] = [];
  let number = FIRST_NUMBER;
  for (let run = 0; run < runs; run++) {
    for (const scan of SCANS.filter(({ share }) => run < runs * share)) {
      for (const family of [4, 6] as const) {
        const source = Scene.address(number++, family);
        for (const { scene, learnt: found } of learnt) {
          (scan.waits ? waiting : busy).push(async () => {
            const ports = await oneScan(scene, scan, source);
            found.set(keyOf(scan, family), [...found.get(keyOf(scan, family)) ?? [], ports]);
          });
        }
      }
    }
  }
  console.error(`  ${busy.length + waiting.length} scans`);
  await Promise.all([inTurn(busy, AT_ONCE.busy), inTurn(waiting, AT_ONCE.waiting)]);
  return learnt.map(({ contestant, learnt: found }) => ({ contestant, results: [found] }));
}

/** Do all of it, so many at once. */
async function inTurn(jobs: (() => Promise<void>)[], atOnce: number): Promise<void> {
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = jobs.shift(); next !== undefined; next = jobs.shift()) await next();
  }));
}

async function oneScan({ server, scanner }: Scene, scan: Scan, source: string): Promise<number> {
  const to = source.includes(":") ? ["-6", server.ipv6] : [server.ipv4];
  // With -sT it warns that it can only bind to this address, not forge it: that is what it is to do.
  const argv = ["nmap", ...scan.argv, ...FORM, "-S", source, "-e", scanner.interface, ...to];
  return portsLearnt(await scanner.out(argv, { seconds: SECONDS }), {
    open: OPEN_PORTS,
    scanned: scan.ports,
  });
}
