import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CodedError, didYouMean, sortedText } from "../../base/index.ts";
import { type LoadedUnit, type SwitchPlan, planSwitch } from "../../system/switch/index.ts";
import { Profile, readLink, replaceLink } from "../profile/index.ts";
import { writeBootMenu } from "./boot-menu.ts";
import { withSwitchLock } from "./lock.ts";
import type { SwitchPaths } from "./paths.ts";
import { clearPending, type PendingLists, readPending, writePending } from "./pending-lists.ts";
import type { SwitchHost } from "./switch-host.ts";
import { readUnits, unlessAbsent } from "./unit-folder.ts";

/** `switch`: run it and boot it from now on; `boot`: only the latter; `test`: only the former. */
export type SwitchMode = "switch" | "boot" | "test" | "dry-activate";

/** What to switch to. */
export type SwitchTarget =
  | { readonly kind: "toplevel"; readonly path: string }
  | { readonly kind: "generation"; readonly number: number };

/** What {@link switchSystem} takes. */
export interface SwitchOptions {
  readonly mode: SwitchMode;
  readonly target: SwitchTarget;
  /** The variant of the target that runs; what becomes the default is the target itself. Default: none. */
  readonly specialisation?: string | undefined;
  readonly paths: SwitchPaths;
  readonly host: SwitchHost;
  /** Receives words for people. */
  readonly say: (line: string) => void;
  /** Where store paths are found: `""`, or a root in tests. */
  readonly root?: string;
}

/** Exit codes of a switch; see {@link SwitchResult}. */
export const SWITCH_EXIT = { done: 0, bootLoader: 1, activation: 2, units: 4, reboot: 100 } as const;

/** How a switch ended. */
export interface SwitchResult {
  /**
   * 0 done; 1 the boot menu could not be written; 2 activation failed, and the old system is active again;
   * 4 units failed, or could not be reloaded or started, and the switch stands; 100 the system needs a reboot, and nothing was done.
   */
  readonly exitCode: 0 | 1 | 2 | 4 | 100;
  /** The generation that is the default now; `undefined` when that is what it was. */
  readonly generation: number | undefined;
  readonly plan: SwitchPlan | undefined;
  readonly failedUnits: readonly string[];
}

/**
 * Switch the machine.
 *
 * Order: lock → stop units → activate → reload the manager → reload, restart, start → settle → commit (the generation's
 * link, the profile by one rename, then the boot menu). Nothing before the commit changes what boots.
 *
 * @throws {CodedError} `system.locked`, `system.not-a-system`, `system.no-specialisation`, `profile.no-generation`, `system.cannot-run`
 */
export function switchSystem(options: SwitchOptions): SwitchResult {
  return withSwitchLock(options.paths.run, () => new Switch(options).run());
}

class Switch {
  readonly #options: SwitchOptions;
  readonly #profile: Profile;
  readonly #root: string;
  #failedBefore = false;
  /** Whether the manager could not do all that the plan asks for. */
  #refused = false;
  /** What an interrupted earlier switch left to do. */
  readonly #left: PendingLists;

  constructor(options: SwitchOptions) {
    this.#options = options;
    this.#profile = new Profile(options.paths.profiles, "system");
    this.#root = options.root ?? "";
    this.#left = readPending(options.paths.run);
  }

  run(): SwitchResult {
    const { mode, target, specialisation, say } = this.#options;
    const named = target.kind === "toplevel" ? target.path : this.#profile.get(target.number).target;
    this.#checkSystem(named);
    const whole = this.#canonical(named);
    const toplevel = specialisation === undefined ? whole : this.#variant(whole, specialisation);
    const nothing = { generation: undefined, plan: undefined, failedUnits: [] };
    if (mode === "boot") return { ...nothing, ...this.#commit(whole) };
    if (mode === "dry-activate") {
      const plan = this.#plan(toplevel);
      this.#tell(plan, "would");
      this.#options.host.activate(`${this.#root}${toplevel}`, mode);
      return { ...nothing, plan, exitCode: SWITCH_EXIT.done };
    }
    if (this.#needsReboot(toplevel)) {
      say("the new system talks to its init in another way: it has to be booted (use `boot` and reboot)");
      return { ...nothing, exitCode: SWITCH_EXIT.reboot };
    }
    return this.#holding(whole, () => {
      const plan = this.#plan(toplevel);
      const failedUnits = this.#apply(toplevel, plan);
      if (failedUnits === undefined) return { ...nothing, plan, exitCode: SWITCH_EXIT.activation };
      const { generation, exitCode } =
        mode === "switch" ? this.#commit(whole) : { generation: undefined, exitCode: SWITCH_EXIT.done };
      const failed = exitCode === SWITCH_EXIT.done && (failedUnits.length > 0 || this.#refused);
      return { generation, plan, failedUnits, exitCode: failed ? SWITCH_EXIT.units : exitCode };
    });
  }

  /** Keep a system from being collected before a generation or the running system names it. */
  #holding<Result>(toplevel: string, run: () => Result): Result {
    const root = join(this.#options.paths.gcRoots, "switching");
    mkdirSync(this.#options.paths.gcRoots, { recursive: true });
    replaceLink(root, toplevel);
    const result = run();
    rmSync(root);
    return result;
  }

  #checkSystem(toplevel: string): void {
    for (const name of ["activate", "init", "etc"]) {
      if (existsSync(`${this.#root}${toplevel}/${name}`)) continue;
      throw new CodedError(
        "system.not-a-system",
        `Cannot switch to "${toplevel}": it has no "${name}", expected the toplevel of a system`,
      );
    }
  }

  /**
   * The store path itself, however it was named: a generation must not point to a link such as `result`, which may change
   * or mean nothing at the next boot.
   */
  #canonical(named: string): string {
    const real = realpathSync(`${this.#root}${named}`);
    const root = this.#root === "" ? "" : realpathSync(this.#root);
    const path = real.startsWith(`${root}/`) ? real.slice(root.length) : real;
    if (/^\/nix\/store\/[^/]+$/.test(path)) return path;
    throw new CodedError("system.not-a-system", `Cannot switch to "${named}": found "${path}", expected a store path`);
  }

  /** The toplevel of a variant. */
  #variant(toplevel: string, name: string): string {
    const known = unlessAbsent(() => readdirSync(`${this.#root}${toplevel}/specialisation`)) ?? [];
    if (known.includes(name)) {
      const path = this.#canonical(readLink(`${this.#root}${toplevel}/specialisation/${name}`) ?? "");
      this.#checkSystem(path);
      return path;
    }
    const list = known.length === 0 ? "it has none" : `expected one of ${sortedText(known).join(", ")}`;
    throw new CodedError(
      "system.no-specialisation",
      `Cannot switch to specialisation "${name}" of "${toplevel}": found no such specialisation, ${list}`,
      { hint: didYouMean(name, known) },
    );
  }

  #needsReboot(toplevel: string): boolean {
    const version = (system: string) => unlessAbsent(() => readFileSync(`${system}/init-interface-version`, "utf8"));
    const booted = version(this.#options.paths.bootedSystem);
    return booted !== undefined && booted !== version(`${this.#root}${toplevel}`);
  }

  #plan(toplevel: string): SwitchPlan {
    const { paths, host } = this.#options;
    const next = `${this.#root}${toplevel}`;
    const units = (system: string, etc: string) =>
      readUnits({
        own: join(etc, "systemd/system"),
        package: join(system, "systemd/lib/systemd/system"),
        fstab: join(etc, "fstab"),
      });
    const loaded = host.listUnits();
    this.#failedBefore = loaded.some(({ active }) => active === "failed");
    return planSwitch({
      loaded,
      current: units(paths.currentSystem, paths.etc),
      next: units(next, `${next}/etc`),
      pending: this.#left,
      managerChanged:
        this.#left.reexecute || managerOf(paths.currentSystem, paths.etc) !== managerOf(next, `${next}/etc`),
    });
  }

  #tell(plan: SwitchPlan, would: "would" | ""): void {
    const words = (list: readonly string[], text: string, textIfWould: string) => {
      if (list.length > 0)
        this.#options.say(`${would === "" ? text : textIfWould} the following units: ${list.join(", ")}`);
    };
    words(plan.stop, "stopping", "would stop");
    words(plan.keep, "NOT restarting, although changed,", "would NOT restart, although changed,");
    words(plan.swapOff, "turning off swap on", "would turn off swap on");
    if (would !== "" && plan.reexecute) this.#options.say("would restart systemd itself");
    words(plan.reload, "reloading", "would reload");
    words(plan.restart, "restarting", "would restart");
    const news = plan.start.filter((name) => !name.endsWith(".target"));
    words(news, "starting", "would start");
  }

  /** @returns the units that failed; `undefined` when activation failed and everything is as it was. */
  #apply(toplevel: string, plan: SwitchPlan): string[] | undefined {
    const { host, paths, say } = this.#options;
    const before = readLink(paths.currentSystem);
    this.#tell(plan, "");
    writePending(paths.run, plan);
    if (plan.stop.length > 0) host.systemctl("stop", "--", ...plan.stop);
    for (const device of plan.swapOff) host.swapOff(device);

    say("activating the configuration");
    const status = this.#activate(`${this.#root}${toplevel}`);
    if (status !== 0) {
      say(`activation failed with status ${status}: going back to the old system`);
      this.#goBack(before, plan);
      return undefined;
    }

    // To execute itself anew makes the manager read all units anew, too.
    host.systemctl(plan.reexecute ? "daemon-reexec" : "daemon-reload");
    clearPending(paths.run, "", ["reexecute"]);
    // Old failures are not the new system's.
    if (this.#failedBefore) host.systemctl("reset-failed");
    const asked = readPending(paths.run, "activation-");
    clearPending(paths.run, "activation-");
    const restart = [...new Set([...plan.restart, ...asked.restart])];
    const reload = [...new Set([...plan.reload, ...asked.reload])].filter((name) => !restart.includes(name));
    this.#each("reload", reload);
    this.#each("restart", restart);
    this.#each("start", [...new Set([...plan.start, ...asked.start])]);
    return this.#failures();
  }

  #each(verb: "reload" | "restart" | "start", units: readonly string[]): void {
    // A reload that fails, or a start whose dependency does, leaves no failed unit: only the status tells of it.
    const status = units.length > 0 ? this.#options.host.systemctl(verb, "--", ...units) : 0;
    if (status !== 0) {
      this.#refused = true;
      this.#options.say(`warning: systemctl ${verb} ended with status ${status} for: ${units.join(", ")}`);
    }
    clearPending(this.#options.paths.run, "", [verb]);
  }

  /** @returns the status of activation; one that cannot be started has failed like any other. */
  #activate(toplevel: string): number {
    try {
      return this.#options.host.activate(toplevel, "switch");
    } catch (error) {
      this.#options.say((error as Error).message);
      return 127;
    }
  }

  #goBack(before: string | undefined, plan: SwitchPlan): void {
    const { host, paths, say } = this.#options;
    const status = before === undefined ? 0 : this.#activate(before);
    if (status !== 0)
      say(`warning: the old system could not be activated again (status ${status}); a reboot brings it back whole`);
    host.systemctl(this.#left.reexecute ? "daemon-reexec" : "daemon-reload");
    // Those that ran run again, also those that an interrupted switch had stopped; the others have not been touched.
    const stopped = [...new Set([...plan.stop, ...this.#left.start])];
    if (stopped.length > 0) host.systemctl("start", "--", ...stopped);
    clearPending(paths.run, "activation-");
    clearPending(paths.run);
  }

  /** Wait a moment, then collect the units that failed, those that keep failing included. */
  #failures(): string[] {
    const { host, say } = this.#options;
    host.sleep(250);
    const failed = host
      .listUnits()
      .filter((unit) => unit.active === "failed" || this.#keepsFailing(unit))
      .map(({ name }) => name);
    if (failed.length > 0) {
      say(`warning: the following units failed: ${failed.join(", ")}`);
      host.systemctl("status", "--no-pager", "--full", "--", ...failed);
    }
    return failed;
  }

  #keepsFailing({ name, sub }: LoadedUnit): boolean {
    // The manager of some versions tells `auto-restart-queued` apart.
    return sub.startsWith("auto-restart") && this.#options.host.property(name, "ExecMainStatus") !== "0";
  }

  /** The generation first comes to be here: neither a failed nor an interrupted switch leaves one behind. */
  #commit(toplevel: string): Pick<SwitchResult, "generation"> & { readonly exitCode: 0 | 1 } {
    const { paths, say, target } = this.#options;
    const number = target.kind === "generation" ? target.number : this.#profile.create(toplevel).number;
    this.#profile.switchTo(number);
    try {
      writeBootMenu({
        boot: paths.boot,
        generations: this.#profile.list(),
        defaultGeneration: number,
        root: this.#root,
        say,
      });
      return { generation: number, exitCode: SWITCH_EXIT.done };
    } catch (error) {
      const { message, hint } = error as Partial<CodedError>;
      say(`the boot menu could not be written: ${message}`);
      if (hint !== undefined) say(`  hint: ${hint}`);
      return { generation: number, exitCode: SWITCH_EXIT.bootLoader };
    }
  }
}

/** What decides whether the manager has to execute itself anew. */
function managerOf(system: string, etc: string): string {
  const binary = unlessAbsent(() => realpathSync(join(system, "systemd"))) ?? "";
  return `${binary}\n${unlessAbsent(() => readFileSync(join(etc, "systemd/system.conf"), "utf8")) ?? ""}`;
}
