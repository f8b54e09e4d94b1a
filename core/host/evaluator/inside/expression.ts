import { CodedError } from "../../../base/index.ts";
import { formatAttribute } from "../../../flake/index.ts";
import type { AgentQuestion } from "../protocol.ts";
import { EXPRESSION_START } from "./expression-place.ts";
import type { MadeArguments } from "./inputs.ts";
import { type FoundAttribute, member } from "./lookup.ts";

/**
 * A value as the function of the command line makes it.
 *
 * @throws {CodedError} `eval.not-a-function`, and what the function throws
 */
export function applied(found: FoundAttribute, { expression }: AgentQuestion, made: unknown): FoundAttribute {
  if (expression === undefined) return found;
  if (typeof made === "function")
    return { path: found.path, value: (made as (value: unknown) => unknown)(found.value) };
  throw new CodedError(
    "eval.not-a-function",
    `Cannot apply the expression to "${formatAttribute(found.path)}": found a value that is no function`,
    { at: EXPRESSION_START, hint: "Write an arrow function: --apply 'value => value.name'" },
  );
}

/** The value of an expression over the outputs of a flake. */
export function evaluateExpression(made: unknown, { outputs, inputs, self }: MadeArguments): unknown {
  const all = outputs();
  const scope = {
    outputs: all,
    self,
    inputs,
    get pkgs() {
      return member(all.packages, Object.keys(all.packages ?? {})[0] ?? "");
    },
  };
  const names = new Proxy(scope, {
    get: (target, name) => (Object.hasOwn(target, name) ? Reflect.get(target, name) : member(all, String(name))),
  });
  return (made as (scope: object) => unknown)(names);
}
