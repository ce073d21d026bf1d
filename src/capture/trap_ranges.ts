/**
 * Port ranges of a trap, made fewer where a filter has no room for all of them.
 * @module
 */
import type { PortRange } from "../net/ports.ts";

/** The ports of a trap as sorted, disjoint ranges. */
export interface TrapRanges {
  /** TCP ports. */
  readonly tcp: readonly PortRange[];
  /** UDP ports. */
  readonly udp: readonly PortRange[];
  /** SCTP ports; often the same ranges as for TCP. */
  readonly sctp: readonly PortRange[];
}

/** The same ranges with the `count` narrowest gaps closed. */
export function closeGaps(exact: TrapRanges, count: number): TrapRanges {
  if (count === 0) return exact;
  const shared = sameRanges(exact.tcp, exact.sctp);
  const sets = shared ? [exact.tcp, exact.udp] : [exact.tcp, exact.udp, exact.sctp];
  const gaps = sets.flatMap((ranges) =>
    ranges.slice(1).map((after, i) => ({ after, width: gapBefore(after, ranges[i]) }))
  );
  gaps.sort((a, b) => a.width - b.width);
  const closed = new Set(gaps.slice(0, count).map(({ after }) => after));
  const tcp = joined(exact.tcp, closed);
  return { tcp, udp: joined(exact.udp, closed), sctp: shared ? tcp : joined(exact.sctp, closed) };
}

/** The ranges, with those of `closed` joined to the one before. */
function joined(ranges: readonly PortRange[], closed: ReadonlySet<PortRange>): readonly PortRange[] {
  const result: PortRange[] = [];
  for (const range of ranges) {
    const previous = result.at(-1);
    if (previous !== undefined && closed.has(range)) {
      result[result.length - 1] = { first: previous.first, last: range.last };
    } else result.push(range);
  }
  return result;
}

function gapBefore(range: PortRange, previous: PortRange | undefined): number {
  return range.first - (previous?.last ?? 0) - 1;
}

/** Whether two lists hold the same ranges. */
export function sameRanges(a: readonly PortRange[], b: readonly PortRange[]): boolean {
  return a.length === b.length &&
    a.every((range, i) => range.first === b[i]?.first && range.last === b[i]?.last);
}
