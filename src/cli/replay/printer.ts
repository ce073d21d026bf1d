/**
 * What a replay prints: JSON lines for programs, bans and a table for people.
 * @module
 */
import { formatDuration } from "../../config/duration.ts";
import { formatAddress } from "../../net/address.ts";
import { quantity } from "../../quantity.ts";
import { formatTime } from "../format.ts";
import { formatTable } from "../table.ts";
import { probesOf, type SourceReport, type SourceReports } from "./source_reports.ts";
import type { Finding } from "./trial.ts";

/** Rows of the table for people; programs get every source. */
const MAX_ROWS = 40;
/** Scanners that are counted when the configuration bans nobody. */
const MAX_UNBANNED = 65_536;

/** Takes one line without its newline. */
export type Out = (line: string) => void;

/** What is told at the end. */
export interface Summary {
  /** How many packets the capture holds. */
  readonly packets: number;
  /** What each source did. */
  readonly reports: SourceReports;
  /** What somebody should know before they believe this; a sentence each. */
  readonly notes: readonly string[];
}

/** Writes findings as they come, and the summary. */
export interface Printer {
  /** A probe, with what became of it. */
  finding(finding: Finding): void;
  /** The end. */
  summary(summary: Summary): void;
}

/** One JSON object a line. */
export function jsonPrinter(out: Out): Printer {
  const line = (value: unknown): void => out(JSON.stringify(value));
  return {
    finding({ probe, decision, trapped, open }): void {
      const time = exactTime(probe.time);
      const source = formatAddress(probe.source);
      const { protocol, port, scan } = probe;
      const dest = formatAddress(probe.dest);
      const verdict = decision?.verdict ?? null;
      line({ type: "probe", time, source, dest, protocol, port, scan, trapped, open, verdict });
      if (decision?.verdict !== "block") return;
      const { reason, ports, probes } = decision;
      line({ type: "block", time, source, reason, ports, probes });
    },
    summary({ packets, reports, notes }): void {
      const sources = reports.all();
      const probes = sources.reduce((sum, source) => sum + probesOf(source), reports.omittedProbes);
      line({
        type: "summary",
        packets,
        probes,
        omitted_probes: reports.omittedProbes,
        sources: sources.map(sourceFields),
        notes,
      });
    },
  };
}

/** Bans as they come, then a table. */
export function textPrinter(out: Out): Printer {
  const unbanned = new Set<string>();
  return {
    finding({ decision }): void {
      if (decision?.verdict === "observe" && unbanned.size < MAX_UNBANNED) {
        unbanned.add(formatAddress(decision.probe.source));
      }
      if (decision?.verdict !== "block") return;
      const { probe, reason, ports, probes } = decision;
      const source = formatAddress(probe.source);
      out(
        `${formatTime(probe.time)}  ban ${source}: ${reason}, ${quantity(ports, "port")}, ${
          quantity(probes, "probe")
        }`,
      );
    },
    summary({ packets, reports, notes }): void {
      const sources = [...reports.all()].sort((a, b) => probesOf(b) - probesOf(a));
      const banned = sources.filter((source) => source.fate === "block");
      const probes = sources.reduce((sum, source) => sum + probesOf(source), reports.omittedProbes);
      if (sources.length > 0) {
        const told = [...banned, ...sources.filter((source) => source.fate !== "block")];
        out(
          formatTable(
            ["SOURCE", "DECISION", "PROBES", "PORTS", "FIRST", "LASTED", "SCANS"],
            told.slice(0, MAX_ROWS).map(row),
          ),
        );
        if (told.length > MAX_ROWS) out(`… and ${told.length - MAX_ROWS} more sources; see --json`);
      }
      out(
        `${quantity(packets, "packet")}, ${quantity(probes, "probe")} of ${
          quantity(sources.length, "source")
        }, ` +
          `${banned.length} would have been banned`,
      );
      if (unbanned.size > 0) {
        out(
          `over the trigger, but only observed, as the configuration says: ${
            quantity(unbanned.size, "source")
          }`,
        );
      }
      for (const note of notes) out(note);
    },
  };
}

function row(source: SourceReport): readonly string[] {
  return [
    source.address,
    source.fate,
    String(probesOf(source)),
    String(source.ports.size),
    formatTime(source.first),
    formatDuration(source.last - source.first),
    Object.entries(source.scans).map(([scan, count]) => `${scan} ${count}`).join(", "),
  ];
}

function sourceFields(source: SourceReport): Readonly<Record<string, unknown>> {
  return {
    address: source.address,
    scans: source.scans,
    ports: source.ports.size,
    probes: probesOf(source),
    first: exactTime(source.first),
    last: exactTime(source.last),
    decision: source.fate,
    bans: source.bans,
  };
}

/** Captures have microseconds; what a 64-bit float adds behind them is noise. */
function exactTime(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
