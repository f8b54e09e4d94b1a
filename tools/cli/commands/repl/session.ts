import { type OpenFlake, openFlake } from "../../../../core/host/flake/index.ts";
import { realisePlan } from "../../../../core/host/evaluator/index.ts";
import { parseStorePath, type StorePath } from "../../../../core/store/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { CliContext } from "../../context.ts";
import type { NextLine } from "../../debug-prompt.ts";
import type { BuildFlags } from "../../flags.ts";
import { lockOptions } from "../../lock-options.ts";
import { realise } from "../../realise.ts";

export interface SessionOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: BuildFlags;
  readonly reference: string;
  /** Where a debugger has its commands from. */
  readonly nextLine: NextLine;
}

/**
 * A conversation with a flake. Each question is an evaluation in a process of its own: one that crashes or does not end takes nothing
 * with it. What was declared before is evaluated again with it.
 */
export class Session {
  readonly #context: CliContext;
  readonly #store: LocalStore;
  readonly #flags: BuildFlags;
  readonly #reference: string;
  readonly #nextLine: NextLine;
  #declarations: readonly string[] = [];
  #flake: OpenFlake | undefined;
  #asking = new AbortController();

  constructor({ context, store, flags, reference, nextLine }: SessionOptions) {
    this.#context = context;
    this.#store = store;
    this.#flags = flags;
    this.#reference = reference;
    this.#nextLine = nextLine;
  }

  /** Folder of the flake. */
  async directory(): Promise<string> {
    return (await this.#open()).directory;
  }

  /** Look at the files anew; what was declared stays. */
  reload(): void {
    this.#flake = undefined;
  }

  /** End the question that is asked now. */
  interrupt(): void {
    this.#asking.abort(new Error("interrupted"));
    this.#asking = new AbortController();
    this.#flake = undefined;
  }

  async print(text: string): Promise<string> {
    const { value, onHost } = await this.#ask(text, "print");
    return onHost(String(value));
  }

  async names(of: string): Promise<readonly string[]> {
    return (await this.#ask(of, "names")).value as readonly string[];
  }

  /** Keep a declaration, if it can be evaluated. */
  async declare(text: string): Promise<void> {
    await this.#ask("null", "print", [...this.#declarations, text]);
    this.#declarations = [...this.#declarations, text];
  }

  get declarations(): readonly string[] {
    return this.#declarations;
  }

  /** The type of an expression. */
  async typeOf(text: string): Promise<string | undefined> {
    const { typeOf } = await import("./type-of.ts");
    const { signal } = this.#asked();
    const flake = await this.#open();
    const hostPath = (path: string): string => this.#store.realPath(path as StorePath);
    const resolved = await flake.resolveInputs();
    return typeOf(text, { directory: flake.directory, declarations: this.#declarations, resolved, hostPath, signal });
  }

  /** Build what an expression stands for. */
  async build(text: string): Promise<readonly StorePath[]> {
    const result = await this.#ask(text, "value");
    await realisePlan(this.#store, result.plan);
    const targets = result.context.map((item) => ({ ...item, drvPath: parseStorePath(item.drvPath) }));
    const report = await realise(targets, { context: this.#asked(), store: this.#store, flags: this.#flags });
    return report.outputs;
  }

  /** Options of a system, with places on this machine. */
  async options(system: string): Promise<readonly OptionPlace[]> {
    const flake = await this.#open();
    const asked = await flake.evaluate({ attribute: system, want: "options", kinds: ["systems"] });
    const { value, onHost, keyAt, faults } = asked;
    if (faults[0] !== undefined) throw faults[0].error;
    return (value as unknown as readonly OptionPlace[]).map((option) => ({ ...option, onHost, keyAt }));
  }

  async #ask(text: string, want: "print" | "names" | "value", declarations = this.#declarations) {
    const flake = await this.#open();
    return flake.evaluate({ attribute: "", want, expression: { kind: "outputs", text, declarations } });
  }

  /** The context of one question, which ends with it. */
  #asked(): CliContext {
    const signal = AbortSignal.any([this.#context.signal, this.#asking.signal]);
    return Object.create(this.#context, { signal: { value: signal } }) as CliContext;
  }

  async #open(): Promise<OpenFlake> {
    if (this.#flake !== undefined) return this.#flake;
    await using lock = await lockOptions(this.#asked(), this.#flags, this.#store, this.#nextLine);
    const onNotice = (text: string): void => this.#context.say(text);
    const options = { ...lock.options, reference: this.#reference, store: this.#store, onNotice };
    this.#flake = await openFlake(options);
    return this.#flake;
  }
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Where an option is defined and declared. */
export interface OptionPlace {
  readonly path: string;
  readonly declaredAt?: Place;
  readonly definitions?: readonly { readonly at?: Place; readonly counts: boolean }[];
  readonly onHost: (text: string) => string;
  /** From the place of the call that defines to the key. */
  readonly keyAt: (at: Place, path: string) => Place;
}
