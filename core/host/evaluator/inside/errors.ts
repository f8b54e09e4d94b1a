import type { ErrorReport } from "../protocol.ts";

/** How far down a chain of causes is told. */
const MAX_CAUSES = 4;
/** Longest text of an error that is told, in UTF-16 units. */
const MAX_TEXT = 64 * 1024;
const MAX_DETAILS = 1_000;
/** Names that exist elsewhere; asking for one of them inside is a question about purity and not a slip of the pen. */
const OUTSIDE: Readonly<Record<string, string>> = {
  process: "the process and its environment",
  require: "the modules of Node",
  Buffer: "the library of Node",
  fetch: "the network",
  XMLHttpRequest: "the network",
  WebSocket: "the network",
  setTimeout: "timers",
  setInterval: "timers",
  setImmediate: "timers",
  queueMicrotask: "timers",
  performance: "the clock",
  crypto: "randomness",
  Intl: "the language of the machine",
  navigator: "the machine",
  WebAssembly: "foreign code",
  SharedArrayBuffer: "shared memory",
  Atomics: "shared memory",
  Temporal: "the clock",
  Worker: "threads",
  MessageChannel: "threads",
  BroadcastChannel: "threads",
  WeakRef: "the garbage collector",
  FinalizationRegistry: "the garbage collector",
  Deno: "the process",
  Bun: "the process",
};

/** Anything that was thrown, as text. What was thrown is not trusted to be an error, or to answer politely. */
export function reportError(thrown: unknown, depth = 0): ErrorReport {
  // Its end, because the message comes first.
  const stack = textOf(thrown, "stack", -MAX_TEXT) ?? "";
  const name = textOf(thrown, "name") ?? "Error";
  const message = textOf(thrown, "message") ?? describe(thrown);
  const code = textOf(thrown, "code");
  const hint = textOf(thrown, "hint");
  const at = property(thrown, "at");
  const details = property(thrown, "details");
  const cause = depth < MAX_CAUSES ? property(thrown, "cause") : undefined;
  const report: ErrorReport = {
    name,
    message,
    stack,
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
    ...textsOf(details),
    ...placeOf(at),
    ...(cause === undefined ? {} : { cause: reportError(cause, depth + 1) }),
  };
  return code === undefined ? withPurity(report) : report;
}

function withPurity(report: ErrorReport): ErrorReport {
  const missing = /^([A-Za-z]+) is not defined$/.exec(report.message)?.[1];
  if (report.name === "ReferenceError" && missing !== undefined && Object.hasOwn(OUTSIDE, missing)) {
    return {
      ...report,
      code: "evaluation.impure",
      message: `Cannot use "${missing}" in an evaluation: it has no access to ${OUTSIDE[missing]}`,
      hint: "A result may depend on the locked sources only; do this in a derivation, or give it as an input.",
    };
  }
  if (report.name === "EvalError" && report.message.startsWith("Code generation from strings")) {
    return {
      ...report,
      code: "evaluation.impure",
      message: "Cannot make code from text in an evaluation: eval and Function are switched off",
      hint: "Write the code into a file of the flake, and import it.",
    };
  }
  return report;
}

function property(thrown: unknown, key: string): unknown {
  try {
    return typeof thrown === "object" && thrown !== null ? (thrown as Record<string, unknown>)[key] : undefined;
  } catch {
    return undefined;
  }
}

function textOf(thrown: unknown, key: string, from = 0): string | undefined {
  const value = property(thrown, key);
  return typeof value === "string" ? value.slice(from).slice(0, MAX_TEXT) : undefined;
}

function textsOf(value: unknown): { readonly details?: readonly string[] } {
  const length = Array.isArray(value) ? property(value, "length") : 0;
  const count = typeof length === "number" ? Math.min(length, MAX_DETAILS) : 0;
  const texts = Array.from({ length: count }, (_, i) => textOf(value, String(i))).filter((text) => text !== undefined);
  return texts.length === 0 ? {} : { details: texts };
}

function describe(thrown: unknown): string {
  try {
    const text = typeof thrown === "object" ? JSON.stringify(thrown) : String(thrown);
    return `${String(text).slice(0, MAX_TEXT)} was thrown`;
  } catch {
    return "a value without a text was thrown";
  }
}

function placeOf(value: unknown): Pick<ErrorReport, "at"> {
  const file = textOf(value, "file");
  const line = property(value, "line");
  const column = property(value, "column");
  return file !== undefined && Number.isSafeInteger(line) && Number.isSafeInteger(column)
    ? { at: { file, line: line as number, column: column as number } }
    : {};
}
