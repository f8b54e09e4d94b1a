/**
 * First code of the evaluation's realm: takes away what depends on machine, time or chance, gives what configuration code
 * needs, and freezes the rest, so that no source can change the language under another one.
 */
import { decode, encodeInto, log } from "floe:host";
import { freezeReachable } from "./freeze.ts";

type AnyFunction = (...args: never[]) => unknown;

function impure(what: string, hint: string): Error {
  const error = new Error(
    `Cannot use ${what} in an evaluation: its result must not depend on the machine, the time or chance`,
  );
  return Object.assign(error, { name: "CodedError", code: "evaluation.impure", hint });
}

/** A function that says why it is not there; the stack shows who called. */
function refused(what: string, hint: string): AnyFunction {
  return function refusedInEvaluation() {
    throw impure(what, hint);
  };
}

function replace(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: false });
}

const realm = globalThis as unknown as Record<string, unknown>;

for (const name of [
  "Intl",
  "WebAssembly",
  "SharedArrayBuffer",
  "Atomics",
  "WeakRef",
  "FinalizationRegistry",
  "Temporal",
])
  delete realm[name];

const CLOCK_HINT = "Write the time down as data, or use inputs.<name>.sourceInfo.lastModified.";
const RealDate = Date;
function GuardedDate(...args: []): Date {
  if (new.target === undefined || args.length === 0) throw impure("the clock", CLOCK_HINT);
  return Reflect.construct(RealDate, args, new.target) as Date;
}
GuardedDate.prototype = RealDate.prototype;
replace(GuardedDate, "name", "Date");
replace(GuardedDate, "now", refused('"Date.now"', CLOCK_HINT));
replace(GuardedDate, "parse", RealDate.parse);
replace(GuardedDate, "UTC", RealDate.UTC);
replace(RealDate.prototype, "constructor", GuardedDate);
replace(realm, "Date", GuardedDate);
replace(
  Math,
  "random",
  refused('"Math.random"', "Derive distinct values from names, for example with hashBytes of #floe/base."),
);

const LOCALE_HINT =
  "Its answer depends on the language of the machine; compareText of #floe/base orders text by its bytes.";
for (const [prototype, names] of [
  [String.prototype, ["localeCompare", "toLocaleLowerCase", "toLocaleUpperCase"]],
  [Number.prototype, ["toLocaleString"]],
  [BigInt.prototype, ["toLocaleString"]],
  [RealDate.prototype, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]],
  [Array.prototype, ["toLocaleString"]],
] as const) {
  for (const name of names) replace(prototype, name, refused(`"${name}"`, LOCALE_HINT));
}

class RealmTextEncoder {
  readonly encoding = "utf-8";
  encode(text = ""): Uint8Array {
    const units = `${text}`;
    const target = new Uint8Array(units.length * 3);
    return target.slice(0, encodeInto(units, target));
  }
}

class RealmTextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  constructor(label = "utf-8", options: { readonly fatal?: boolean; readonly ignoreBOM?: boolean } = {}) {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`The encoding "${label}" is not supported: expected "utf-8"`);
    this.fatal = options.fatal === true;
    this.ignoreBOM = options.ignoreBOM === true;
  }
  decode(bytes: Uint8Array = new Uint8Array()): string {
    const text = decode(bytes, this.fatal, this.ignoreBOM);
    if (text === undefined) throw new TypeError("The encoded data was not valid for encoding utf-8");
    return text;
  }
}

function show(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null)
    return typeof value === "function" ? `[function ${value.name}]` : String(value);
  try {
    return value instanceof Error ? String(value.stack ?? value) : JSON.stringify(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const say = (...values: readonly unknown[]): void => log(values.map(show).join(" "));
/** One of its own: debuggers may stop where it is called. */
const warn = (...values: readonly unknown[]): void => say(...values);
const console = { log: say, info: say, debug: say, warn, error: say, trace: say };

replace(realm, "TextEncoder", RealmTextEncoder);
replace(realm, "TextDecoder", RealmTextDecoder);
replace(realm, "console", console);

interface Frame {
  getFileName(): unknown;
  getLineNumber(): unknown;
  getColumnNumber(): unknown;
  getFunctionName(): unknown;
  isConstructor(): boolean;
}

/** Files of the engine's floors end up under this name, and so do those of the process outside under others. */
const ENGINE = (import.meta.url as string).slice("file://".length, -"host/evaluator/inside/prelude.ts".length);

/**
 * What a stack tells: frames of configuration alone. Those of the engine and of the process outside, with their folders on
 * this machine, would let a value depend on where and how an evaluation runs. Names of files are those they were loaded
 * by, and not what a comment in them claims (`sourceURL`). Whoever reads a frame goes by its brackets and its line, and no name
 * has any: functions can be called anything, and a frame says whose files a call may have.
 */
function prepareStackTrace(error: unknown, frames: readonly Frame[]): string {
  const lines = [headOf(error)];
  for (const frame of frames) {
    const file = frame.getFileName();
    if (typeof file !== "string" || !/^\/(?:@|nix\/store\/)/.test(file) || file.startsWith(ENGINE)) continue;
    const place = `${file.replace(FRAME_SIGNS, encodeSign)}:${frame.getLineNumber()}:${frame.getColumnNumber()}`;
    const given = frame.getFunctionName();
    const name = typeof given === "string" ? given.replace(FRAME_SIGNS, "_") : "";
    const called = name === "" ? "" : frame.isConstructor() ? `new ${name}` : name;
    lines.push(called === "" ? `    at ${place}` : `    at ${called} (${place})`);
  }
  return lines.join("\n");
}

/** What ends the name of a function, a line, or what an address encodes. */
const FRAME_SIGNS = /[%()\p{Cc}\u2028\u2029]/gu;

/** As in an address. */
function encodeSign(sign: string): string {
  const bytes = new Uint8Array(3);
  const length = encodeInto(sign, bytes);
  return [...bytes.subarray(0, length)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

function headOf(error: unknown): string {
  try {
    const { name = "Error", message = "" } = error as { name?: unknown; message?: unknown };
    return message === "" ? `${name}` : `${name}: ${message}`;
  } catch {
    return "Error";
  }
}

replace(Error, "prepareStackTrace", prepareStackTrace);

/**
 * Properties that programs set on their own objects although a prototype has them: frozen as they are, such an assignment
 * would fail. As accessors that set an own property, they allow it.
 *
 * Source: "override mistake", TC39; the list is that of hardened JavaScript's moderate taming.
 */
const OVERRIDABLE: readonly (readonly [object, readonly string[]])[] = [
  [Object.prototype, ["constructor", "hasOwnProperty", "toString", "valueOf", "toLocaleString"]],
  [Function.prototype, ["constructor", "bind", "toString"]],
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(
    (type) => [type.prototype, ["constructor", "message", "name", "toString"]] as const,
  ),
  [Array.prototype, ["constructor", "toString"]],
  [Promise.prototype, ["constructor"]],
];

function makeOverridable(prototype: object, name: string): void {
  const property = Object.getOwnPropertyDescriptor(prototype, name);
  if (property === undefined || !("value" in property)) return;
  const { value } = property as { value: unknown };
  Object.defineProperty(prototype, name, {
    get: () => value,
    set(this: unknown, own: unknown) {
      if (this === prototype) throw new TypeError(`Cannot change "${name}" of a built-in object`);
      Object.defineProperty(this, name, { value: own, writable: true, enumerable: true, configurable: true });
    },
    enumerable: false,
    configurable: false,
  });
}

// Enough for the engine to find its caller behind frames of its own.
(Error as unknown as { stackTraceLimit: number }).stackTraceLimit = 60;

for (const [prototype, names] of OVERRIDABLE) for (const name of names) makeOverridable(prototype, name);

/** Every object that can be reached from the global one is part of the language at this moment. */
freezeReachable([
  realm,
  Object.getPrototypeOf(function* () {}),
  Object.getPrototypeOf(async () => {}),
  Object.getPrototypeOf(async function* () {}),
  Object.getPrototypeOf([][Symbol.iterator]()),
  Object.getPrototypeOf(new Map()[Symbol.iterator]()),
  Object.getPrototypeOf(new Set()[Symbol.iterator]()),
  Object.getPrototypeOf(""[Symbol.iterator]()),
  Object.getPrototypeOf("".matchAll(/./g)),
]);
