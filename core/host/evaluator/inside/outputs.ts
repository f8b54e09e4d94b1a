import { CodedError, type Diagnostic } from "../../../base/index.ts";
import { inspectOutput, type InspectedOutput, outlineOutputs } from "../../../flake/index.ts";
import type { AskedOutput, OutlinedOutputs, OutputFault } from "../protocol.ts";
import { reportError } from "./errors.ts";
import { member } from "./lookup.ts";
import { Converter, showWarnings } from "./to-json.ts";

export interface AnswerOfOutputs {
  readonly value: OutlinedOutputs | readonly AskedOutput[];
  readonly faults: readonly OutputFault[];
}

/** Paths of all members of the outputs; none of them is made. */
export function outline(outputs: object): AnswerOfOutputs {
  const { paths, faults, warnings } = outlineOutputs(outputs);
  return { value: { paths, warnings }, faults: faults.map(({ path, error }) => ({ path, error: reportError(error) })) };
}

/** What is told of some members. One that fails is a fault, and does not hide the others. */
export function showOutputs(outputs: object, paths: readonly (readonly string[])[]): AnswerOfOutputs {
  return each(outputs, paths, (path, value) => ({ path, ...inspectOutput(path, value) }));
}

/**
 * Make some members to their end, derivations and machines included.
 *
 * @param converter Collects what checks refer to: they are to be built. Of all others only the value counts.
 */
export function checkOutputs(
  outputs: object,
  paths: readonly (readonly string[])[],
  converter: Converter,
): AnswerOfOutputs {
  return each(outputs, paths, (path, value) => {
    const inspected = inspectOutput(path, value);
    const made = make(inspected, value, path, inspected.type === "check" ? converter : new Converter());
    return { path, ...inspected, ...made };
  });
}

function each(
  outputs: object,
  paths: readonly (readonly string[])[],
  ask: (path: readonly string[], value: unknown) => AskedOutput,
): AnswerOfOutputs {
  const value: AskedOutput[] = [];
  const faults: OutputFault[] = [];
  for (const path of paths) {
    try {
      let found: unknown = outputs;
      for (const name of path) found = member(found, name);
      value.push(ask(path, found));
    } catch (error) {
      faults.push({ path, error: reportError(error) });
    }
  }
  return { value, faults };
}

type Made = Pick<AskedOutput, "drvPath" | "warnings">;

function make({ type }: InspectedOutput, value: unknown, path: readonly string[], converter: Converter): Made {
  switch (type) {
    case "overlay": {
      for (const part of ["override", "add"] as const) checkMakers((value as Overlay)[part], [...path, part]);
      return {};
    }
    case "module":
    case "unknown":
      // What these are made with is for whoever takes them in to say.
      return {};
    case "home":
      return derivationOf(converter.convert((value as { activation: unknown }).activation, path));
    case "system": {
      const warnings = showWarnings(value as { warnings?: readonly Diagnostic[] });
      return { ...derivationOf(converter.convert(value, path)), ...(warnings.length === 0 ? {} : { warnings }) };
    }
    case "app":
    case "template": {
      const field = type === "app" ? "program" : "path";
      const text = `${(value as Readonly<Record<string, { toString(): string }>>)[field]}`;
      converter.convert(text, [...path, field]);
      const { context, sourceContext } = converter.context();
      if (context.length + sourceContext.length > 0) return {};
      throw new CodedError(
        "flake.output-malformed",
        `Cannot use the output "${path.join(".")}": found the ${field} "${text}", expected a path that this evaluation made`,
        { hint: type === "app" ? undefined : 'Write: path: local("./templates/default")' },
      );
    }
    default:
      return derivationOf(converter.convert(value, path));
  }
}

interface Overlay {
  readonly override: Readonly<Record<string, unknown>>;
  readonly add: Readonly<Record<string, unknown>>;
}

function checkMakers(makers: Readonly<Record<string, unknown>> | undefined, path: readonly string[]): void {
  for (const name of Object.keys(makers ?? {})) {
    if (typeof makers?.[name] === "function") continue;
    throw new CodedError(
      "flake.output-malformed",
      `Cannot use the output "${path.join(".")}": found a ${typeof makers?.[name]} for "${name}", expected a function that gives a package`,
    );
  }
}

function derivationOf(converted: unknown): Made {
  const { drvPath } = (converted ?? {}) as { drvPath?: unknown };
  return typeof drvPath === "string" ? { drvPath } : {};
}
