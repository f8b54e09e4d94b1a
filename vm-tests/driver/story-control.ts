import type { StoryTools } from "../machine.ts";
import { globPattern } from "./choose-tests.ts";

/** Where a story stands, for who looks on. */
export type StoryState =
  | { readonly kind: "waiting" | "running" | "passed" }
  | { readonly kind: "stopped"; readonly at: string }
  | { readonly kind: "failed"; readonly error: unknown };

export interface StoryControlOptions {
  /** Names of steps to stop before; `*` and `?` stand for any characters. */
  readonly breakAt?: readonly string[];
  /** Told each time that the story stops, and when it ends. */
  readonly onChange?: (state: StoryState) => void;
}

/** Lets somebody go through a story: it stops before steps that are named, before each one, or where it says so itself. */
export class StoryControl {
  readonly #onChange: (state: StoryState) => void;
  readonly #stops: { readonly name: string; readonly pattern: RegExp; met: boolean }[] = [];
  #stepping = false;
  #state: StoryState = { kind: "waiting" };
  #go: (() => void) | undefined;
  #changed = deferred();

  constructor({ breakAt = [], onChange = () => {} }: StoryControlOptions = {}) {
    this.#onChange = onChange;
    for (const name of breakAt) this.breakAt(name);
  }

  get state(): StoryState {
    return this.#state;
  }

  /** Names of steps to stop before, and whether the story has come to one. */
  get stops(): readonly { readonly name: string; readonly met: boolean }[] {
    return this.#stops.map(({ name, met }) => ({ name, met }));
  }

  /** Stop before steps of this name, too. */
  breakAt(name: string): void {
    this.#stops.push({ name, pattern: globPattern(name), met: false });
  }

  /** The tools of a story that stops when it is told to. */
  toolsFor<Tools extends StoryTools>(tools: Tools): Tools {
    return {
      ...tools,
      step: (name: string, body: () => unknown) =>
        tools.step(name, async () => {
          await this.#pass(name);
          return body();
        }),
      breakpoint: (name?: string) => this.#stop(name ?? "a breakpoint"),
    };
  }

  /** Begin a story, if it has not begun; its end is a state, and no failure here. */
  begin(story: () => Promise<void>): void {
    if (this.#state.kind !== "waiting") return;
    this.#set({ kind: "running" });
    story().then(
      () => this.#set({ kind: "passed" }),
      (error: unknown) => this.#set({ kind: "failed", error }),
    );
  }

  /** Go on: up to the next stop, or with `next` up to the next step. @returns whether it stood somewhere. */
  go({ next = false }: { readonly next?: boolean } = {}): boolean {
    this.#stepping = next;
    const go = this.#go;
    this.#go = undefined;
    if (go === undefined) return false;
    this.#set({ kind: "running" });
    go();
    return true;
  }

  /** Let the first step be one to stop before. */
  stopAtOnce(): void {
    this.#stepping = true;
  }

  /** Settles when the story stops or ends; at once, unless it runs. */
  async settled(): Promise<void> {
    while (this.#state.kind === "running") await this.#changed.promise;
  }

  async #pass(name: string): Promise<void> {
    const met = this.#stops.filter(({ pattern }) => pattern.test(name));
    for (const stop of met) stop.met = true;
    if (met.length > 0 || this.#stepping) await this.#stop(name);
  }

  /** Steps that run side by side stop one after the other. */
  async #stop(at: string): Promise<void> {
    while (this.#state.kind === "stopped") await this.#changed.promise;
    this.#stepping = false;
    const { promise, resolve } = deferred();
    this.#go = resolve;
    this.#set({ kind: "stopped", at });
    await promise;
  }

  #set(state: StoryState): void {
    this.#state = state;
    const { resolve } = this.#changed;
    this.#changed = deferred();
    resolve();
    this.#onChange(state);
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
