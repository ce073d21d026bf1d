/**
 * The daemon: builds the real things from a configuration, keeps them alive, and takes them down again.
 * @module
 */
import { Bans, type BansParts } from "./bans.ts";
import type { LoadedConfig } from "./config/load.ts";
import { restartKeys } from "./config/restart.ts";
import type { Config } from "./config/schema.ts";
import { answer, type AnswerParts } from "./control/answers.ts";
import { exemptionOf, type OverviewParts, pendingOf, statusOf, topOf } from "./control/overview.ts";
import { reloadText } from "./control/reload_text.ts";
import { ControlServer } from "./control/server.ts";
import type { ReloadView } from "./control/views.ts";
import { evidenceProbes } from "./detect/evidence_probes.ts";
import { chooseEngine, type EngineSetup } from "./engine_setup.ts";
import { messageOf, UserError } from "./errors.ts";
import { HostFacts } from "./host/host_facts.ts";
import { loadListeners } from "./known_listeners.ts";
import { limitsOfCommands } from "./privileges.ts";
import { quantity } from "./quantity.ts";
import { AppendFile } from "./record/append_file.ts";
import type { Level } from "./record/event.ts";
import { type Log, openLog } from "./record/log.ts";
import { IDENTITY, PORTSENTRY_IDENTITY } from "./record/log_target.ts";
import { Recorder, type RecorderLimits } from "./record/recorder.ts";
import { State } from "./record/state/state.ts";
import { Responder } from "./respond/responder.ts";
import { type BootClock, systemClock } from "./system/clock.ts";
import { run as exec } from "./system/exec.ts";
import { Notifier } from "./system/notify.ts";
import { Upkeep } from "./upkeep.ts";
import { VERSION } from "./version.ts";
import { Watch } from "./watch.ts";

/** How the daemon is run. */
export interface DaemonOptions {
  /** The configuration to begin with. */
  readonly loaded: LoadedConfig;
  /** Reads the configuration again. */
  readonly load: () => Promise<LoadedConfig>;
  /** Detect and log only: nothing on this host is changed, no file is written. */
  readonly dryRun: boolean;
  /** The name in syslog. */
  readonly identity: string;
}

const PORTSENTRY_NAME = "PortSentry";

/** The running daemon. */
export class Daemon implements AsyncDisposable {
  /** What it calls itself in the log: who comes with PortSentry's files looks for PortSentry's lines. */
  readonly #name: string;
  readonly #dryRun: boolean;
  readonly #load: () => Promise<LoadedConfig>;
  readonly #clock: BootClock = systemClock;
  readonly #started = systemClock.now();
  readonly #notifier = new Notifier(Deno.env.toObject(), Deno.pid);
  readonly #log: Log;
  readonly #history: AppendFile | undefined;
  readonly #recorder: Recorder;
  readonly #state: State;
  readonly #host: HostFacts;
  /** What was read at the start and is not read again. */
  readonly #startedWith: Config;
  #loaded: LoadedConfig;
  #engineSetup: EngineSetup;
  readonly #responder: Responder;
  readonly #bans: Bans;
  readonly #upkeep: Upkeep;
  #watch: Watch | undefined;
  #opened: AsyncDisposableStack | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  /**
   * Build everything, make the firewall agree with the state, arm the trap.
   *
   * @throws {UserError} When something that this needs is not there, or may not be had.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { config } = options.loaded;
    await using opened = new AsyncDisposableStack();
    const log = opened.use(openLog({
      ...config.log,
      identity: options.identity,
      journalStream: Deno.env.get("JOURNAL_STREAM"),
    }));
    const host = opened.use(new HostFacts(config, systemClock));
    const ready: { daemon?: Daemon } = {};
    if (!options.dryRun) {
      // Before anything is changed: where another daemon answers, everything must stay as it is.
      opened.use(
        await ControlServer.listen({
          path: config.files.control_socket,
          handler: (request) => {
            if (ready.daemon === undefined) {
              throw new UserError("portsnare is still starting; try again in a moment");
            }
            return answer(request, ready.daemon.#answerParts());
          },
        }),
      );
    }
    const engineSetup = await chooseEngine(config, { host, dryRun: options.dryRun });
    const starting = opened.use(new Daemon(options, { log, host, engineSetup }));
    await starting.#begin();
    ready.daemon = starting;
    starting.#opened = opened.move();
    return starting;
  }

  private constructor(
    options: DaemonOptions,
    parts: { readonly log: Log; readonly host: HostFacts; readonly engineSetup: EngineSetup },
  ) {
    const { config } = options.loaded;
    this.#name = options.identity === PORTSENTRY_IDENTITY ? PORTSENTRY_NAME : IDENTITY;
    this.#dryRun = options.dryRun;
    this.#load = options.load;
    this.#startedWith = config;
    this.#loaded = options.loaded;
    this.#log = parts.log;
    this.#host = parts.host;
    this.#engineSetup = parts.engineSetup;
    this.#history = options.dryRun ? undefined : new AppendFile(config.files.history);
    this.#recorder = new Recorder({
      ...(this.#history === undefined ? {} : { history: this.#history }),
      log: this.#log,
      clock: this.#clock,
      limits: limitsOf(config),
    });
    this.#state = new State(options.dryRun ? ":memory:" : config.files.state, this.#clock);
    this.#responder = new Responder({
      config,
      backend: parts.engineSetup.backend,
      exec,
      dryRun: options.dryRun,
    });
    this.#bans = new Bans(this.#bansParts(config));
    this.#upkeep = new Upkeep({
      bans: this.#bans,
      state: this.#state,
      recorder: this.#recorder,
      responder: this.#responder,
      host: this.#host,
      clock: this.#clock,
      dryRun: options.dryRun,
      current: () => ({
        config: this.#loaded.config,
        watch: this.#watch,
        engineSetup: this.#engineSetup,
      }),
      onRound: () => this.#notifier.status(this.#statusLine()),
      notice: (level, message) => this.#notice(level, message),
    });
  }

  async #begin(): Promise<void> {
    this.#notice("notice", `portsnare ${VERSION} is starting`);
    await this.#upkeep.resume();
    await this.#arm(loadListeners(this.#state, this.#loaded.config.detect.grace));
    this.#host.start();
    this.#host.protected.onChange(() => this.#watch?.publish());
    this.#upkeep.start();
    this.#notifier.ready(this.#statusLine());
    this.#notifier.startWatchdog();
    this.#notice("notice", `${this.#name} is now active and listening.`);
  }

  /** Read the configuration anew. When it is wrong the old one stays, and this rejects. */
  async reload(): Promise<ReloadView> {
    const reloading = this.#changing.then(() => this.#reload());
    this.#changing = reloading.catch(() => {
      // Whoever called is told; the next one begins afresh.
    });
    return await reloading;
  }

  async #reload(): Promise<ReloadView> {
    this.#notifier.reloading();
    try {
      const loaded = await this.#load();
      await this.#upkeep.between(() => this.#replace(loaded));
      const view: ReloadView = {
        config: loaded.sources,
        needsRestart: restartKeys(this.#startedWith, loaded.config),
      };
      this.#notice(view.needsRestart.length === 0 ? "notice" : "warning", reloadText(view));
      return view;
    } catch (error) {
      this.#notice("err", `The configuration was not changed: ${messageOf(error)}`);
      throw error;
    } finally {
      this.#notifier.ready(this.#statusLine());
    }
  }

  /** What this host cannot carry out must not leave it unwatched: then the configuration before is taken up again. */
  async #replace(loaded: LoadedConfig): Promise<void> {
    const before = this.#loaded;
    try {
      await this.#follow(loaded);
    } catch (error) {
      if (this.#loaded !== before) await this.#follow(before);
      throw error;
    }
  }

  async #follow(loaded: LoadedConfig): Promise<void> {
    const { config } = loaded;
    const engineSetup = await chooseEngine(config, { host: this.#host, dryRun: this.#dryRun });
    const known = this.#watch?.listeners() ?? [];
    await this.#watch?.[Symbol.asyncDispose]();
    await this.#engineSetup.leaveTo(engineSetup);
    this.#responder.reconfigure({ config, backend: engineSetup.backend });
    this.#engineSetup[Symbol.dispose]();
    this.#loaded = loaded;
    this.#engineSetup = engineSetup;
    this.#bans.reconfigure(this.#bansParts(config));
    this.#log.reconfigure(config.log);
    this.#history?.moveTo(config.files.history);
    this.#recorder.reconfigure(limitsOf(config));
    this.#host.protected.configure(config.ignore);
    await this.#arm(known);
    await this.#upkeep.restore("after the reload");
  }

  /** Stop: bans and the trap's table stay in force, everything else is closed. */
  async stop(): Promise<void> {
    await this.#opened?.disposeAsync();
  }

  /** Called by {@link Daemon.stop} before what it is built on is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#notifier.stopping();
    await this.#changing;
    await this.#upkeep.stop();
    await this.#watch?.[Symbol.asyncDispose]();
    this.#recorder.close();
    if (this.#name === PORTSENTRY_NAME) {
      this.#notice("notice", `securityalert: ${PORTSENTRY_NAME} is shutting down`);
    }
    this.#notice("notice", `${this.#name} is shutting down`);
    this.#state[Symbol.dispose]();
    this.#history?.[Symbol.dispose]();
    this.#notifier[Symbol.dispose]();
  }

  async #arm(known: Parameters<Watch["start"]>[0]): Promise<void> {
    this.#watch = await Watch.open({
      config: this.#loaded.config,
      host: this.#host,
      bans: this.#bans,
      recorder: this.#recorder,
      clock: this.#clock,
      table: this.#engineSetup.table,
      engine: this.#engineSetup.engine,
      ignoredBefore: this.#watch?.ignore,
    });
    if (this.#engineSetup.note !== undefined) this.#notice("warning", this.#engineSetup.note);
    const limits = limitsOfCommands(this.#loaded.config);
    if (limits !== undefined) this.#notice("notice", limits);
    await this.#watch.start(known);
    for (const line of this.#watch.describe()) this.#notice("notice", line);
  }

  #bansParts(config: Config): BansParts {
    return {
      config,
      responder: this.#responder,
      state: this.#state,
      recorder: this.#recorder,
      clock: this.#clock,
      evidence: (source, time) => evidenceProbes(source, this.#watch?.detector.evidence(source, time) ?? []),
      forget: (source) => this.#watch?.detector.forget(source),
      ...(config.detect.resolve_host ? { nameOf: (source) => this.#host.names.nameOf(source) } : {}),
    };
  }

  #answerParts(): AnswerParts {
    const overview = this.#overview();
    return {
      bans: this.#bans,
      state: this.#state,
      config: this.#loaded.config,
      now: this.#clock.now(),
      status: () => statusOf(overview),
      top: () => topOf(overview),
      exempt: (address) => exemptionOf(address, overview),
      exemptAddresses: () => this.#host.protected.entries().map((entry) => entry.address),
      pending: (address) => pendingOf(address, overview),
      reload: () => this.reload(),
    };
  }

  #overview(): OverviewParts {
    if (this.#watch === undefined) throw new Error("The daemon is not armed");
    return {
      loaded: this.#loaded,
      watch: this.#watch,
      bans: this.#bans,
      state: this.#state,
      host: this.#host,
      engineSetup: this.#engineSetup,
      started: this.#started,
      now: this.#clock.now(),
    };
  }

  #statusLine(): string {
    const { made, failed } = this.#bans.stats();
    const failures = failed === 0 ? "" : `, ${failed} FAILED`;
    const bans = quantity(this.#bans.active, "ban");
    return `Engine ${this.#engineSetup.engine}; ${bans} in force, ${made} made since start${failures}`;
  }

  #notice(level: Level, message: string): void {
    this.#recorder.record([{ type: "notice", time: this.#clock.now(), level, message }]);
  }
}

function limitsOf(config: Config): RecorderLimits {
  return {
    burst: config.log.burst,
    intervalSeconds: config.log.interval,
    windowSeconds: config.detect.window,
    maxSources: config.detect.max_sources,
  };
}
