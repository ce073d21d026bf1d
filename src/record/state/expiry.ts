/**
 * How long a ban has left when clocks cannot be trusted.
 *
 * Deadlines are stored as wall-clock times, together with one moment (the anchor) at which both clocks were read. From
 * there on, within one boot, the kernel's boot clock says how much time has passed, and nobody can set that one: a wall
 * clock that jumps by an hour, or by decades when a machine without a battery hears from its time server, makes no ban
 * longer or shorter. Across a reboot there is nothing but the wall clock; it is then believed, within what is possible.
 * @module
 */

/** A moment, on both clocks. */
export interface Moment {
  /** Seconds since the epoch. */
  readonly wall: number;
  /** Seconds since boot. */
  readonly boot: number;
  /** Which boot. */
  readonly bootId: string;
}

/** When a ban ends, as stored. */
export interface Deadline {
  /** Seconds since the epoch, as the wall clock went at the anchor. */
  readonly expires: number;
  /** How many seconds the ban was made for: it never has more left than this. */
  readonly seconds: number;
}

/** What the wall clock would show now if nobody had set it since the anchor. */
export function steadyWall(anchor: Moment, now: Moment): number {
  if (anchor.bootId === now.bootId) return anchor.wall + (now.boot - anchor.boot);
  // A clock that is behind where it once stood has not been set yet; as far as it can tell, no time has passed.
  return Math.max(anchor.wall, now.wall);
}

/** Seconds that a ban has left; 0 or less: it is over. */
export function secondsLeft(
  deadline: Deadline,
  clocks: { readonly anchor: Moment; readonly now: Moment },
): number {
  return Math.min(deadline.expires - steadyWall(clocks.anchor, clocks.now), deadline.seconds);
}

/**
 * By how many seconds stored deadlines must be moved for the anchor to become `now`; 0 when the wall clock was not set
 * but only drifted, and the anchor can stay on its line.
 */
export function clockStep(anchor: Moment, now: Moment): number {
  const step = now.wall - steadyWall(anchor, now);
  return Math.abs(step) < MIN_STEP_SECONDS ? 0 : step;
}

/** A time server steps a clock that is off by more than 128 ms and slews one that is not; a second is no slewing. */
const MIN_STEP_SECONDS = 1;
