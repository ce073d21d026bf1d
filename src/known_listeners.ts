/**
 * Which ports had a listener, across restarts: after a boot we may be up before the services are, whose clients are not
 * to be taken for scanners.
 * @module
 */
import type { SavedPort } from "./detect/grace.ts";
import type { State } from "./record/state/state.ts";

/** The ports that had a listener when the last run ended, however long ago that was: the host may have been off. */
export function loadListeners(state: Pick<State, "listeners">, graceSeconds: number): readonly SavedPort[] {
  return state.listeners(0).flatMap(({ protocol, address, port }) =>
    protocol === "tcp" || protocol === "udp" || protocol === "sctp"
      ? [{ protocol, address, port, seconds: graceSeconds }]
      : []
  );
}

/** Write down which ports have a listener, or are in grace, now. */
export function saveListeners(
  state: Pick<State, "saveListeners">,
  ports: readonly SavedPort[],
  times: { readonly now: number; readonly graceSeconds: number },
): void {
  const seen = ports.map(({ protocol, address, port }) => ({ protocol, address, port, seen: times.now }));
  state.saveListeners(seen, times.now - times.graceSeconds);
}
