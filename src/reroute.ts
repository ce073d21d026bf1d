/**
 * Runs `kill_route` again after a boot: what it put into the kernel is gone since, while the ban goes on.
 *
 * Our own sets are filled at every start, but the administrator's command is not ours to repeat: a restart that ran it
 * again would leave a second rule behind, which no release takes away.
 * @module
 */
import type { Bans } from "./bans.ts";
import type { State } from "./record/state/state.ts";
import type { Outcome } from "./respond/backend.ts";
import type { Responder } from "./respond/responder.ts";

/** Commands run so many at once; the other places are for those that block somebody. */
const AT_ONCE = 2;

/** What it works on. */
export interface RerouteParts {
  /** The bans in force. */
  readonly bans: Pick<Bans, "about">;
  /** Knows in which boot each ban was acted on. */
  readonly state: Pick<State, "actedBeforeBoot" | "saveOutcomes">;
  /** Runs the command. */
  readonly responder: Pick<Responder, "reroute">;
}

/**
 * Run it for every ban in force for which it worked in an earlier boot and has not run in this one.
 *
 * @returns What each did. The state remembers it, also when the process is killed in the middle.
 */
export async function reroute({ bans, state, responder }: RerouteParts): Promise<readonly Outcome[]> {
  const targets = state.actedBeforeBoot("kill_route").values();
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (const target of targets) {
      await bans.about(target, async (ban) => {
        const outcome = await responder.reroute(ban);
        if (outcome === undefined) return;
        state.saveOutcomes(target, [outcome]);
        outcomes.push(outcome);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}
