import { CodedError } from "../base/index.ts";
import { type Defs, type Module, type RuleContext, defineModule, evaluateModules } from "./index.ts";

// Options of tests are not part of the real configuration's types, hence these doors.
// biome-ignore lint/suspicious/noExplicitAny: a test knows what it declared.
type Anything = any;

export type Tree = { readonly [name: string]: unknown };

/** A definition of options that only a test declares. */
export const says = (definitions: Tree): Defs => definitions as Defs;

/** Evaluate modules and give the configuration, whose members may have any type. */
export function read(modules: readonly Module[], config: Tree | readonly Tree[] = {}): Record<string, Anything> {
  return evaluateModules({ modules, config: config as Defs }).config as unknown as Record<string, Anything>;
}

/** A module without options of its own, whose rule may read anything. */
export function rule(key: string, body: (context: RuleContext & { config: Anything }) => void): Module {
  return defineModule({ key }, body as never);
}

/** The coded error that a call has to throw. */
export function failure(run: () => unknown): CodedError {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
