import { CodedError } from "../../core/base/index.ts";
import type { Unit, UnitValue } from "../machine.ts";
import type { GuestCalls } from "./guest-calls.ts";
import type { GuestContext } from "./guest-context.ts";
import { judgeUnit, readUnitState } from "./units.ts";
import { type Attempt, waitUntil } from "./wait.ts";

/** A unit is looked at this often although systemd says nothing about it: a manager that runs itself anew forgets its listeners. */
export const UNIT_LOOK_MS = 5000;

/** Wait until a unit is active; told by systemd, so that a guest at work is not asked in vain. */
export async function waitForUnit(context: GuestContext, unit: string): Promise<void> {
  const { manager, signal } = context.boot();
  const stop = new AbortController();
  let id = unit;
  let news = (): Promise<void> => Promise.resolve();
  const look = async (): Promise<Attempt<void>> => {
    // Listened from before the look, so that nothing falls between the two.
    const next = await manager.news(id, AbortSignal.any([stop.signal, signal]));
    const asked = manager.properties(unit, "common");
    const state = readUnitState(await context.limited(asked, `hear of the unit "${unit}"`));
    news = id === state.id ? next : () => Promise.resolve();
    id = state.id;
    return judgeUnit(context.name, unit, state);
  };
  try {
    await waitUntil({
      what: `wait for the unit "${unit}" on "${context.name}"`,
      deadline: context.deadline(),
      signal,
      pause: (milliseconds) => Promise.race([news(), sleepAtMost(Math.max(milliseconds, UNIT_LOOK_MS), stop.signal)]),
      attempt: () =>
        look().catch((error: CodedError) => {
          if (!["dbus.closed", "dbus.refused", "agent.refused"].includes(error.code)) throw error;
          // Early in a boot, and while systemd runs itself anew, there is nobody to talk to.
          news = () => sleepAtMost(100, stop.signal);
          return { seen: error.message };
        }),
    });
  } catch (error) {
    throw await withUnitStatus(context, error, unit);
  } finally {
    stop.abort();
  }
}

function sleepAtMost(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
  });
}

/** What systemd says about a unit, below the error about it. */
async function withUnitStatus(context: GuestContext, error: unknown, unit: string): Promise<unknown> {
  if (!(error instanceof CodedError) || error.code === "agent.silent" || context.boot().signal.aborted) return error;
  const argv = ["systemctl", "status", "--no-pager", "--full", "--lines=20", unit];
  const status = await context.exec(argv).catch(() => undefined);
  const { code, message, hint } = error;
  return new CodedError(code, message, { hint, details: status?.stdout.trimEnd().split("\n") ?? [] });
}

/** A unit as stories see it. */
export class GuestUnit implements Unit {
  readonly name: string;
  readonly #context: GuestContext;
  readonly #calls: GuestCalls;

  constructor(name: string, context: GuestContext, calls: GuestCalls) {
    this.name = name;
    this.#context = context;
    this.#calls = calls;
  }

  properties(): Promise<Readonly<Record<string, UnitValue>>> {
    return this.#calls.call(`properties of the unit "${this.name}"`, () => this.#read());
  }

  property(name: string): Promise<UnitValue> {
    return this.#calls.call(`property of the unit "${this.name}"`, async () => {
      const value = (await this.#read())[name];
      if (value !== undefined) return value;
      throw new CodedError(
        "unit.no-property",
        `Cannot read "${name}" of the unit "${this.name}": it has no such property`,
        {
          hint: "Names are those that `systemctl show` prints.",
        },
      );
    });
  }

  start(): Promise<void> {
    return this.#job("Start");
  }

  stop(): Promise<void> {
    return this.#job("Stop");
  }

  restart(): Promise<void> {
    return this.#job("Restart");
  }

  reload(): Promise<void> {
    return this.#job("Reload");
  }

  #read(): Promise<Readonly<Record<string, UnitValue>>> {
    const { manager } = this.#context.boot();
    return this.#context.limited(manager.properties(this.name), `read the unit "${this.name}"`);
  }

  #job(verb: "Start" | "Stop" | "Restart" | "Reload"): Promise<void> {
    const what = `${verb.toLowerCase()} the unit "${this.name}"`;
    return this.#calls.call(what, async () => {
      const { manager, signal } = this.#context.boot();
      const stop = new AbortController();
      try {
        const job = manager.job(verb, this.name, AbortSignal.any([stop.signal, signal]));
        job.catch(() => {});
        const end = await this.#context.limited(job, what);
        if (end === "done") return;
        const error = new CodedError(
          "unit.job-failed",
          `Cannot ${what} on "${this.#context.name}": the job ended as "${end}"`,
        );
        throw await withUnitStatus(this.#context, error, this.name);
      } finally {
        stop.abort();
      }
    });
  }
}
