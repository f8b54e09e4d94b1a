import { failure, loadFlake, thrown } from "floe:host";
import { callerLocation, CodedError, nearNames, sortedText } from "../../../base/index.ts";
import { local, registerSource } from "../../../derivation/index.ts";
import type { Flake, FlakeInput, FlakeOutputs, SourceInfo } from "../../../flake/index.ts";
import type { StorePath } from "../../../store/index.ts";
import type { AgentQuestion, InputNode } from "../protocol.ts";
import { readFlake } from "./declared.ts";
import { read } from "./source-host.ts";

/** What {@link FlakeInput} has besides the outputs of the flake. */
interface Basics {
  readonly outPath: () => string;
  readonly sourceInfo: SourceInfo;
}

/** What the function `outputs` of a flake gets, and gives: made once, when asked for. */
export interface MadeArguments {
  readonly outputs: () => FlakeOutputs;
  readonly inputs: Readonly<Record<string, FlakeInput>>;
  readonly self: FlakeInput;
}

export function makeArguments(flake: Flake, question: AgentQuestion): MadeArguments {
  const made = new Map<string, FlakeInput>();
  const inputsOf = (inputs: Readonly<Record<string, string>>): Record<string, FlakeInput> =>
    namedInputs(Object.fromEntries(Object.entries(inputs).map(([name, id]) => [name, () => inputById(id)])));
  const inputById = (id: string): FlakeInput => {
    let input = made.get(id);
    if (input === undefined) {
      input = makeInput(id, question.nodes[id] as InputNode, inputsOf);
      made.set(id, input);
    }
    return input;
  };
  const inputs = inputsOf(question.inputs);
  const outputs = once(() => checkOutputs(flake.outputs({ inputs, self }), question.flakeFolder));
  const source = local(question.flakeFolder, { name: "source" });
  const self = flakeInput({ outPath: () => `${source}`, sourceInfo: { type: "path" } }, outputs);
  return { outputs, inputs, self };
}

function makeInput(
  id: string,
  node: InputNode,
  inputsOf: (inputs: Readonly<Record<string, string>>) => Record<string, FlakeInput>,
): FlakeInput {
  const outPath = once(() => {
    registerSource(node.storePath as StorePath, { kind: "tree", name: "source", from: node.storePath });
    return node.dir === "" ? node.storePath : `${node.storePath}/${node.dir}`;
  });
  const { configFile } = node;
  const outputs = once((): FlakeOutputs => {
    if (configFile === undefined) return {};
    const exported = loadFlake(id);
    if (exported === undefined) {
      const failed = failure();
      if (failed === "") throw thrown();
      read(failed);
    }
    const { flake } = readFlake(exported, configFile);
    return checkOutputs(flake.outputs({ inputs: inputsOf(node.inputs), self: input }), configFile);
  });
  const input = flakeInput({ outPath, sourceInfo: node.sourceInfo }, outputs);
  return input;
}

function checkOutputs(outputs: unknown, flake: string): FlakeOutputs {
  if (typeof outputs === "object" && outputs !== null && typeof (outputs as { then?: unknown }).then !== "function")
    return outputs as FlakeOutputs;
  const promise = typeof outputs === "object" && outputs !== null;
  throw new CodedError(
    "flake.malformed",
    `Cannot take the outputs of "${flake}": found ${promise ? "a promise" : typeof outputs}, expected an object`,
    {
      hint: promise
        ? "An evaluation does not wait: make outputs() a plain function."
        : "Write: outputs: ({ inputs }) => ({ packages: { … } }),",
    },
  );
}

/** The source and the outputs as one value; the outputs are made when one of them is asked for. */
function flakeInput(basics: Basics, outputs: () => FlakeOutputs): FlakeInput {
  const own: Record<string, () => unknown> = {
    outPath: basics.outPath,
    sourceInfo: () => basics.sourceInfo,
    toString: () => basics.outPath,
    toJSON: () => basics.outPath,
  };
  const get = (key: string): unknown =>
    Object.hasOwn(own, key) ? (own[key] as () => unknown)() : (outputs() as Record<string, unknown>)[key];
  return new Proxy({} as FlakeInput, {
    get: (_target, key) => (typeof key === "symbol" || key === "then" ? undefined : get(key)),
    has: (_target, key) => typeof key === "string" && (Object.hasOwn(own, key) || Object.hasOwn(outputs(), key)),
    ownKeys: () => ["outPath", "sourceInfo", ...Object.keys(outputs()).filter((key) => !Object.hasOwn(own, key))],
    getOwnPropertyDescriptor: (_target, key) =>
      typeof key === "string" && (Object.hasOwn(own, key) || Object.hasOwn(outputs(), key))
        ? { get: () => get(key), enumerable: key !== "toString" && key !== "toJSON", configurable: true }
        : undefined,
    set: () => false,
    defineProperty: () => false,
  });
}

/** Inputs by name; a name that is not there is an error and not `undefined`. */
function namedInputs(inputs: Readonly<Record<string, () => FlakeInput>>): Record<string, FlakeInput> {
  const lazy = Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(inputs).map(([name, get]) => [name, { get, enumerable: true, configurable: true }]),
    ),
  ) as Record<string, FlakeInput>;
  const handler: ProxyHandler<Record<string, FlakeInput>> = {
    get(target, key) {
      if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
      if (Object.hasOwn(inputs, key)) return target[key];
      const near = nearNames(key, Object.keys(inputs))[0];
      throw new CodedError("flake.input-missing", `Cannot use the input "${key}": the flake declares no such input`, {
        at: callerLocation(handler.get as Function),
        hint:
          near !== undefined
            ? `Did you mean "${near}"?`
            : `Its inputs are: ${sortedText(Object.keys(inputs)).join(", ") || "none"}.`,
      });
    },
    set: () => false,
  };
  return new Proxy(lazy, handler);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  let making = false;
  return () => {
    if (made === undefined) {
      if (making)
        throw new CodedError(
          "flake.outputs-cycle",
          "Cannot make the outputs of a flake: they need themselves to be made",
          { hint: "Put the use of self or of the input inside a getter or function." },
        );
      making = true;
      try {
        made = { value: make() };
      } finally {
        making = false;
      }
    }
    return made.value;
  };
}
