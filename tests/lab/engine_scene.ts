/**
 * An engine at work on a host of the lab, another host beside it, and what the engine saw.
 * @module
 */
import type { Engine } from "../../src/capture/frame.ts";
import { Collector } from "./collector.ts";
import { type Host, Lab } from "./lab.ts";

/** Two hosts, on one of which an engine is at work. */
export interface EngineScene<E extends Engine> extends AsyncDisposable {
  readonly target: Host;
  readonly other: Host;
  readonly engine: E;
  readonly seen: Collector;
}

/** Start the engine that `make` gives, in the network namespace of the target. */
export async function engineScene<E extends Engine>(make: (sink: Collector) => E): Promise<EngineScene<E>> {
  const lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const seen = new Collector();
  const engine = make(seen);
  await target.inside(() => engine.start());
  return {
    target,
    other,
    engine,
    seen,
    async [Symbol.asyncDispose]() {
      await engine.stop();
      await lab[Symbol.asyncDispose]();
    },
  };
}
