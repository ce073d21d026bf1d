/**
 * Case 2: how many of the open ports a scan still tells.
 * @module
 */
import { type Case, only, type Report, takeTurns } from "../case.ts";
import { portsLearnt } from "../measure/nmap.ts";
import { largest, median } from "../measure/statistics.ts";
import { figure } from "../measure/format.ts";
import { OPEN_PORTS, Scene } from "../scene.ts";

/** A way to scan. */
interface Scan {
  readonly name: string;
  readonly argv: readonly string[];
  /** How many ports it asks for. */
  readonly ports: number;
}

/** A polite scan waits 0.4 s between two ports: with a thousand of them one run would take seven minutes. */
const FEW_PORTS = `1,7,11,13,15,17,19,20,21,23,25,70,79,111,119,${OPEN_PORTS.join(",")}`;
const FEW_PORT_COUNT = 20;
const ALL_PORTS = "1-1024,3306,8080";
const ALL_PORT_COUNT = 1026;
/** What nmap -F asks for. */
const COMMON_PORT_COUNT = 100;

const TYPES = ["-sS", "-sT", "-sF", "-sX", "-sN"];
/** A silent host keeps nmap busy for minutes when it asks again and again. */
const SCANS: readonly Scan[] = [
  ...TYPES.map((type) => ({
    name: `${type} -T4 -F`,
    argv: [type, "-T4", "-F", "--max-retries", "1"],
    ports: COMMON_PORT_COUNT,
  })),
  {
    name: "-sS -T4 -p1-1024,3306,8080",
    argv: ["-sS", "-T4", "-p", ALL_PORTS, "--max-retries", "0"],
    ports: ALL_PORT_COUNT,
  },
  {
    name: "-sS -T2, 20 ports",
    argv: ["-sS", "-T2", "-p", FEW_PORTS, "--max-retries", "0"],
    ports: FEW_PORT_COUNT,
  },
];
const FORM = ["-n", "-Pn", "-oG", "-"];
const FIRST_NUMBER = 1000;
const MANY_ROUNDS = 10;
const MANY_RUNS = 20;
/** So many runs of each scan are made by default. */
const RUNS = 5;
/** So many scans run at the same time, each from an address of its own. */
const AT_ONCE = 10;
const SECONDS = 120;
const SPARE_SECONDS = 30;
/** What timeout(1) leaves with. */
const TIMED_OUT = 124;

/** What each run of a scan learnt, by the scan's name and the family. */
type Learnt = ReadonlyMap<string, readonly number[]>;

/** See {@link Case}. */
export const exposure: Case = {
  name: "exposure",
  title: "2. Exposure",
  about:
    `How many of five open ports (${
      OPEN_PORTS.join(", ")
    }) nmap tells from closed ones: median, in brackets the worst, ` +
    "and of how many runs, each from an address that was not seen before. nmap asks for well-known ports first, in an " +
    "order that it draws anew each time; what it asks before its first closed port is answered whatever anybody does.",
  async run(field, { rounds, quick }): Promise<Report> {
    const turns = await takeTurns(only(field, "no detector", "PortSentry", "portsnare"), {
      // Each turn is many runs already.
      rounds: 1,
      measure: (scene) => scans(scene, { runs: quick ? 2 : rounds >= MANY_ROUNDS ? MANY_RUNS : RUNS, quick }),
    });
    const keys = SCANS.flatMap(({ name }) => ([4, 6] as const).map((family) => keyOf(name, family)));
    const rows = keys.map((key) => [
      key,
      ...turns.map(({ results }) => {
        const all = results.flatMap((result) => result.get(key) ?? []);
        return `${figure(median(all))} (${figure(largest(all))}), ${all.length}`;
      }),
    ]);
    return {
      tables: [{ head: ["nmap", ...turns.map(({ contestant }) => contestant.name)], rows }],
      notes: [
        `A run that takes more than ${SECONDS} s is left out. With \`--rounds ${MANY_ROUNDS}\` or more there are ${MANY_RUNS} runs.`,
      ],
    };
  },
};

function keyOf(name: string, family: 4 | 6): string {
  return `${name}, IPv${family}`;
}

async function scans(
  scene: Scene,
  { runs, quick }: { readonly runs: number; readonly quick: boolean },
): Promise<Learnt> {
  const learnt = new Map<string, number[]>();
  const waiting: (() => Promise<void>)[] = [];
  let number = FIRST_NUMBER;
  for (const scan of quick ? SCANS.slice(0, 1) : SCANS) {
    for (const family of [4, 6] as const) {
      const found: number[] = [];
      learnt.set(keyOf(scan.name, family), found);
      for (let run = 0; run < runs; run++) {
        const source = Scene.address(number++, family);
        waiting.push(async () => {
          const ports = await oneScan(scene, scan, source);
          if (ports !== undefined) found.push(ports);
        });
      }
    }
  }
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
  });
  await Promise.all(workers);
  return learnt;
}

async function oneScan(scene: Scene, scan: Scan, source: string): Promise<number | undefined> {
  const { server, scanner } = scene;
  const to = source.includes(":") ? ["-6", server.ipv6] : [server.ipv4];
  const argv = ["nmap", ...scan.argv, ...FORM, "-S", source, "-e", scanner.interface, ...to];
  // Whoever needs longer than that prints nothing, and is left out: what it would have learnt is not known.
  const { code, stdout, stderr } = await scanner.run(["timeout", String(SECONDS), ...argv], {
    seconds: SECONDS + SPARE_SECONDS,
  });
  if (code === TIMED_OUT) return undefined;
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit ${code}: ${stderr}`);
  return portsLearnt(stdout, { open: OPEN_PORTS, scanned: scan.ports });
}
