import * as v from "valibot";
import { CodedError } from "../../base/index.ts";
import { DEEPEST_INPUT } from "../../derivation/index.ts";
import { settingFault } from "../../flake/index.ts";
import type { EvaluatorAnswer } from "./protocol.ts";

/** The answer comes from a process that ran foreign code, so nothing about it is taken on trust. */
const storePath = v.pipe(v.string(), v.regex(/^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+$/));
const text = v.string();
const place = v.object({ file: text, line: v.number(), column: v.number() });

interface Report {
  readonly [key: string]: unknown;
}
const report: v.GenericSchema<Report> = v.lazy(() =>
  v.object({
    name: text,
    message: text,
    stack: text,
    code: v.optional(text),
    hint: v.optional(text),
    details: v.optional(v.array(text)),
    at: v.optional(place),
    cause: v.optional(report),
  }),
) as v.GenericSchema<Report>;

interface Declaration {
  readonly [key: string]: unknown;
}
const declaration: v.GenericSchema<Declaration> = v.lazy(() =>
  v.object({
    url: v.optional(text),
    flake: v.optional(v.boolean()),
    follows: v.optional(text),
    inputs: v.optional(v.record(text, declaration)),
  }),
) as v.GenericSchema<Declaration>;
const inputs = v.record(text, declaration);
const settings = v.pipe(
  v.record(text, v.union([text, v.array(text)])),
  v.check(
    (all) => Object.entries(all).every(([name, value]) => settingFault(name, value) === undefined),
    "no settings",
  ),
);

const source = v.variant("kind", [
  v.object({ kind: v.literal("text"), path: storePath, name: text, contents: text, references: v.array(storePath) }),
  v.object({
    kind: v.literal("tree"),
    path: storePath,
    name: text,
    from: v.pipe(text, v.startsWith("/")),
    files: v.optional(v.array(text)),
  }),
]);

const answer = v.variant("kind", [
  v.object({ kind: v.literal("inputs"), inputs, description: v.optional(text), settings: v.optional(settings) }),
  v.object({
    kind: v.literal("builds"),
    needs: v.pipe(
      v.array(v.object({ path: storePath, drvPath: storePath, output: text, at: v.optional(place) })),
      v.minLength(1),
    ),
    derivations: v.array(v.object({ path: storePath, text })),
    sources: v.array(source),
  }),
  v.object({ kind: v.literal("error"), error: report, inputs: v.optional(inputs) }),
  v.object({
    kind: v.literal("value"),
    inputs,
    description: v.optional(text),
    settings: v.optional(settings),
    attribute: v.array(text),
    value: v.unknown(),
    faults: v.optional(v.array(v.object({ path: v.array(text), error: report }))),
    context: v.array(
      v.object({
        drvPath: storePath,
        outputs: v.array(text),
        through: v.optional(v.pipe(v.array(text), v.minLength(1), v.maxLength(DEEPEST_INPUT))),
      }),
    ),
    sourceContext: v.array(storePath),
    derivations: v.array(v.object({ path: storePath, text })),
    sources: v.array(source),
  }),
]);

const evaluatorAnswer = v.object({
  answer,
  files: v.array(v.object({ path: text, size: v.number(), ctimeNs: text, ino: text, sha256: text })),
  trees: v.array(
    v.object({ path: text, of: v.optional(v.union([v.literal("names"), v.array(text)])), fingerprint: text }),
  ),
  ways: v.array(v.object({ path: text, target: v.optional(text) })),
  near: v.optional(place),
  missed: v.optional(v.boolean()),
  later: v.optional(v.array(text)),
});

/** @throws {CodedError} `evaluation.malformed-answer` */
export function parseAnswer(json: string): EvaluatorAnswer {
  const refuse = (why: string, cause?: unknown): CodedError =>
    new CodedError("evaluation.malformed-answer", `Cannot read the answer of the evaluation: ${why}`, { cause });
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (cause) {
    throw refuse("it is no JSON", cause);
  }
  let result: v.SafeParseResult<typeof evaluatorAnswer>;
  try {
    result = v.safeParse(evaluatorAnswer, data);
  } catch (cause) {
    // Causes of errors, and inputs of inputs, are checked one inside the other.
    throw (cause as Error).name === "RangeError" ? refuse("too much of it lies inside each other", cause) : cause;
  }
  if (result.success) return result.output as EvaluatorAnswer;
  const [issue] = result.issues;
  throw refuse(`${issue.message} at ${v.getDotPath(issue) ?? "its top"}`);
}
