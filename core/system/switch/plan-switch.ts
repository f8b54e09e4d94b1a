import { sortedText } from "../../base/index.ts";
import { compareUnits } from "./compare-units.ts";
import { type FstabEntry, mountUnitName } from "./fstab.ts";
import { type UnitFile, unitFlag, unitValues } from "./unit-file.ts";

/** A unit that systemd has loaded, as `systemctl list-units --all` shows it. */
export interface LoadedUnit {
  readonly name: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly active: string;
  /** `running`, `exited`, `auto-restart`, `mounted`, … */
  readonly sub: string;
}

/** A unit of a system. */
export interface FoundUnit extends UnitFile {
  /** Whether the system itself has the unit, and not only the manager's package. */
  readonly own: boolean;
}

/** The unit files and mounts of one system. */
export interface UnitSource {
  /** A unit by its full name, drop-ins merged; template instances fall back to their template. */
  find(name: string): FoundUnit | undefined;
  readonly fstab: readonly FstabEntry[];
}

/** What {@link planSwitch} takes. */
export interface PlanSwitchOptions {
  readonly loaded: readonly LoadedUnit[];
  readonly current: UnitSource;
  readonly next: UnitSource;
  /** What an interrupted earlier switch, or an activation script, still wants done. */
  readonly pending?: {
    readonly start?: readonly string[];
    readonly restart?: readonly string[];
    readonly reload?: readonly string[];
  };
  /** Whether the manager itself or its settings changed. */
  readonly managerChanged?: boolean;
}

/** What a switch does to units, each list sorted. */
export interface SwitchPlan {
  /** Before activation, with the old files still in place. */
  readonly stop: readonly string[];
  /** Changed, and left as they run. */
  readonly keep: readonly string[];
  readonly swapOff: readonly string[];
  readonly reexecute: boolean;
  readonly reload: readonly string[];
  readonly restart: readonly string[];
  /** Targets are started again although they are active: that brings in what is new in them. */
  readonly start: readonly string[];
}

/** Units that shape the boot and the shutdown; to stop one of them would stop the machine. */
const NEVER_TOUCHED = new Set([
  "sysinit.target",
  "basic.target",
  "multi-user.target",
  "graphical.target",
  "local-fs.target",
  "-.mount",
  "init.scope",
  "-.slice",
]);

/** Targets whose start would end the session or the machine's day. */
const NOT_STARTED = new Set([
  "suspend.target",
  "hibernate.target",
  "hybrid-sleep.target",
  "suspend-then-hibernate.target",
  "shutdown.target",
  "umount.target",
  "final.target",
  "reboot.target",
  "poweroff.target",
  "halt.target",
  "kexec.target",
  "emergency.target",
  "rescue.target",
]);

const RUNNING = new Set(["active", "activating", "reloading"]);

/**
 * Decide what a switch has to do to units. Pure: the same answer for a dry run and for a real one.
 *
 * Source: rows AC7 to AC11 of switch-to-configuration of NixOS, with one `X-OnChange` in place of four flags.
 */
export function planSwitch(options: PlanSwitchOptions): SwitchPlan {
  const { loaded, current, next, pending = {}, managerChanged = false } = options;
  const lists = new Lists(loaded);
  for (const unit of loaded) {
    if (RUNNING.has(unit.active)) planUnit(unit.name, current, next, lists);
  }
  const swapOff = planMounts(current, next, lists);
  // What an interrupted switch wanted may be no unit of this system; those of mounts and swap have no file of their own.
  const exists = (name: string) => /\.(mount|swap)$/.test(name) || next.find(name) !== undefined;
  for (const kind of ["start", "restart", "reload"] as const) {
    for (const name of pending[kind]?.filter(exists) ?? []) lists[kind].add(name);
  }
  return lists.finish({ swapOff, reexecute: managerChanged });
}

class Lists {
  readonly stop = new Set<string>();
  readonly keep = new Set<string>();
  readonly reload = new Set<string>();
  readonly restart = new Set<string>();
  readonly start = new Set<string>();
  readonly #running: ReadonlySet<string>;

  constructor(loaded: readonly LoadedUnit[]) {
    this.#running = new Set(loaded.filter(({ active }) => RUNNING.has(active)).map(({ name }) => name));
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  finish(rest: Pick<SwitchPlan, "swapOff" | "reexecute">): SwitchPlan {
    // What is stopped and started needs no restart, and what is restarted needs no reload.
    for (const name of this.stop) this.restart.delete(name);
    for (const name of [...this.stop, ...this.restart]) this.reload.delete(name);
    for (const name of this.restart) this.start.delete(name);
    const { stop, keep, reload, restart, start } = this;
    return {
      stop: sortedText(stop),
      keep: sortedText(keep),
      reload: sortedText(reload),
      restart: sortedText(restart),
      start: sortedText(start),
      ...rest,
    };
  }
}

function planUnit(name: string, current: UnitSource, next: UnitSource, lists: Lists): void {
  const before = current.find(name);
  const after = next.find(name);
  // Devices, scopes and other units without a file are none of a system's business.
  if (before === undefined) return;
  // What the system does not ask for any more ends, though the manager's package still offers it: should something else
  // want it, the targets that are started afterwards bring it back.
  if (after === undefined || after.masked || (before.own && !after.own)) {
    const stops = !before.masked && unitFlag(before, "Unit", "X-StopOnRemoval", true);
    if (stops && !NEVER_TOUCHED.has(name)) lists.stop.add(name);
    return;
  }
  if (name.endsWith(".target")) return planTarget(name, after, lists);
  const difference = compareUnits(before, after);
  if (difference === "equal") {
    if (unitFlag(after, "Unit", "X-StopOnReconfiguration", false)) lists.stop.add(name);
    return;
  }
  planChanged(name, difference, after, next, lists);
}

function planTarget(name: string, after: UnitFile, lists: Lists): void {
  if (unitFlag(after, "Unit", "X-StopOnReconfiguration", false)) lists.stop.add(name);
  if (NOT_STARTED.has(name)) return;
  if (unitFlag(after, "Unit", "RefuseManualStart", false)) return;
  if (unitFlag(after, "Unit", "X-OnlyManualStart", false)) return;
  lists.start.add(name);
}

function planChanged(
  name: string,
  difference: "reload" | "restart",
  after: UnitFile,
  next: UnitSource,
  lists: Lists,
): void {
  // A slice holds what runs in it, a path and a scope follow others: none is restarted for itself.
  if (NEVER_TOUCHED.has(name) || /\.(slice|path|scope|device)$/.test(name)) return;
  if (name.endsWith(".mount"))
    return void lists[difference === "reload" || isRootMount(name) ? "reload" : "restart"].add(name);
  // A socket is cycled together with its service; its own change waits for that.
  if (name.endsWith(".socket")) return;
  const policy = unitValues(after, "Unit", "X-OnChange").at(-1) ?? "restart";
  if (policy === "ignore") return void lists.keep.add(name);
  const reloads =
    unitValues(after, "Service", "ExecReload").length > 0 ||
    unitValues(after, "Service", "Type").at(-1) === "notify-reload";
  if ((difference === "reload" || policy === "reload") && reloads) return void lists.reload.add(name);
  const manual =
    unitFlag(after, "Unit", "RefuseManualStop", false) || unitFlag(after, "Unit", "X-OnlyManualStart", false);
  if (manual) return void lists.keep.add(name);

  const sockets = socketsOf(name, after, next).filter((socket) => lists.isRunning(socket));
  if (sockets.length > 0 && !unitFlag(after, "Service", "X-NotSocketActivated", false)) {
    // The socket starts the service when somebody calls; a service stopped alone would be called back at once.
    for (const socket of sockets) {
      lists.stop.add(socket);
      lists.start.add(socket);
    }
    lists.stop.add(name);
    return;
  }
  if (policy === "stop-start") {
    lists.stop.add(name);
    lists.start.add(name);
  } else {
    lists.restart.add(name);
  }
}

function isRootMount(name: string): boolean {
  return name === "-.mount" || name === "nix.mount" || name === "nix-store.mount";
}

/** The sockets of a service: those it names, else the one with its name; only those of the next system. */
function socketsOf(name: string, after: UnitFile, next: UnitSource): string[] {
  if (!name.endsWith(".service")) return [];
  const named = unitValues(after, "Service", "Sockets").flatMap((value) => value.split(/\s+/));
  const sockets = named.length > 0 ? named : [name.replace(/\.service$/, ".socket")];
  return sockets.filter((socket) => {
    const unit = next.find(socket);
    return unit !== undefined && !unit.masked;
  });
}

/** Compare the mounts of two fstabs; gives the swap devices to turn off. */
function planMounts(current: UnitSource, next: UnitSource, lists: Lists): string[] {
  const swapOff: string[] = [];
  for (const before of current.fstab) {
    if (before.type === "swap") {
      if (!next.fstab.some(({ type, device }) => type === "swap" && device === before.device))
        swapOff.push(before.device);
      continue;
    }
    const name = mountUnitName(before.point);
    const after = next.fstab.find(({ type, point }) => type !== "swap" && point === before.point);
    if (isRootMount(name) || !lists.isRunning(name)) continue;
    if (after === undefined) lists.stop.add(name);
    else if (after.device !== before.device || after.type !== before.type) lists.restart.add(name);
    else if (after.options !== before.options) lists.reload.add(name);
  }
  return sortedText(swapOff);
}
