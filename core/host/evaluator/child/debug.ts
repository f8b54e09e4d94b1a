import type { Debugger, Runtime, Session } from "node:inspector";
import type { DebugCommand, DebugMessage, DebugQuestion } from "../debug-protocol.ts";

export interface DebugOptions extends DebugQuestion {
  /** Where the file of a script lies in the sources; `undefined` for what is none of configuration. */
  readonly placeOf: (url: string) => string | undefined;
  /** Tell something, and wait for what to do. */
  readonly ask: (message: DebugMessage) => DebugCommand;
}

type Frame = Debugger.CallFrame;

/** Values shown of one scope. */
const MOST_VARIABLES = 200;
/** In UTF-16 units; of functions there is their text. */
const LONGEST_VALUE = 100;

/**
 * Stop the evaluation where it fails, at `debugger;`, and at break points, and do there what is asked for.
 *
 * The session belongs to the thread it stops: while it is told of a stop, questions to it are answered at once, and when the telling
 * ends, the evaluation goes on.
 *
 * @returns what to call when the realm of the evaluation is what configuration sees.
 */
export function underDebugger(options: DebugOptions): { readonly ready: () => void } {
  const { Session } = process.getBuiltinModule("node:inspector");
  const session = new Session();
  session.connect();
  const stops = new Stops(session, options);
  stops.begin();
  return { ready: () => stops.ready() };
}

class Stops {
  readonly #session: Session;
  readonly #options: DebugOptions;
  /** Addresses of scripts: calls name them by number. */
  readonly #urls = new Map<string, string>();
  #realm: number | undefined;
  #lastError = "";
  #warnings: string | undefined;

  constructor(session: Session, options: DebugOptions) {
    this.#session = session;
    this.#options = options;
  }

  begin(): void {
    this.#session.on("Runtime.executionContextCreated", ({ params: { context } }) => {
      if (context.name === "evaluation") this.#realm = context.id;
    });
    this.#session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => void this.#urls.set(scriptId, url));
    this.#session.on("Debugger.paused", ({ params }) => this.#paused(params));
    this.#post("Debugger.enable", {});
    this.#post("Debugger.setPauseOnExceptions", { state: "all" });
    for (const { file, line } of this.#options.breaks) this.#breakAt(file, line);
    if (this.#options.onWarn) this.#post("Runtime.enable", {});
  }

  ready(): void {
    const contextId = this.#realm;
    if (contextId === undefined) return;
    const found = this.#post<{ result: Runtime.RemoteObject }>("Runtime.evaluate", {
      expression: "console.warn",
      contextId,
    });
    const objectId = found?.result.objectId;
    if (objectId === undefined) return;
    const { breakpointId } =
      this.#post<{ breakpointId: string }>("Debugger.setBreakpointOnFunctionCall", { objectId }) ?? {};
    this.#warnings = breakpointId;
  }

  #breakAt(file: string, line: number): boolean {
    const urlRegex = `^(file://)?${encodeURI(file).replace(/[.*+?^$()|[\]\\{}]/g, "\\$&")}$`;
    return this.#post("Debugger.setBreakpointByUrl", { urlRegex, lineNumber: line - 1 }) !== undefined;
  }

  #paused({ reason, data, hitBreakpoints = [], callFrames }: Debugger.PausedEventDataType): void {
    const frames = callFrames.flatMap((frame) => {
      const file = this.#placeOf(frame);
      return file === undefined ? [] : [{ frame, file }];
    });
    const error = reason === "exception" ? errorText(data) : undefined;
    // What the engine throws to leave a rule is no error, and the same error passes each place that hands it on.
    if (reason === "exception" && (error === undefined || error === this.#lastError)) return this.#go("continue");
    const isWarning = this.#warnings !== undefined && hitBreakpoints.includes(this.#warnings);
    const [top] = callFrames;
    // Steps go on until they meet configuration again.
    const inEngine = top !== undefined && this.#placeOf(top) === undefined;
    if (frames.length === 0) return this.#go("continue");
    if (inEngine && error === undefined && !isWarning) return this.#go("out");
    if (error !== undefined) this.#lastError = error;
    this.#talk(
      {
        kind: "paused",
        reason:
          error !== undefined
            ? "error"
            : isWarning
              ? "warning"
              : hitBreakpoints.length > 0
                ? "breakpoint"
                : reason === "step"
                  ? "step"
                  : "statement",
        ...(error === undefined ? {} : { text: error }),
        frames: frames.map(({ frame, file }) => ({
          name: frame.functionName,
          file,
          line: frame.location.lineNumber + 1,
          column: (frame.location.columnNumber ?? 0) + 1,
        })),
      },
      frames.map(({ frame }) => frame),
    );
  }

  #placeOf({ location }: Frame): string | undefined {
    return this.#options.placeOf(this.#urls.get(location.scriptId) ?? "");
  }

  #talk(first: DebugMessage, frames: readonly Frame[]): void {
    for (let message = first; ; ) {
      const command = this.#options.ask(message);
      switch (command.do) {
        case "scopes":
          message = { kind: "scopes", scopes: this.#scopes(frames[command.frame]) };
          break;
        case "evaluate":
          message = this.#evaluate(frames[command.frame], command.text);
          break;
        case "break":
          message = { kind: "done", holds: this.#breakAt(command.file, command.line) };
          break;
        default:
          return this.#go(command.do);
      }
    }
  }

  #go(how: "continue" | "into" | "over" | "out"): void {
    const methods = { continue: "resume", into: "stepInto", over: "stepOver", out: "stepOut" } as const;
    this.#post(`Debugger.${methods[how]}`, {});
  }

  #scopes(frame: Frame | undefined): (DebugMessage & { kind: "scopes" })["scopes"] {
    const own = frame?.scopeChain.filter(({ type }) => type !== "global") ?? [];
    return own.map(({ type, name = "", object }) => {
      const { result = [] } =
        this.#post<{ result: Runtime.PropertyDescriptor[] }>("Runtime.getProperties", {
          objectId: object.objectId,
          ownProperties: true,
          generatePreview: true,
        }) ?? {};
      const shown = result.slice(0, MOST_VARIABLES).map(({ name, value }) => ({ name, value: showRemote(value) }));
      return { type, name, variables: shown };
    });
  }

  #evaluate(frame: Frame | undefined, expression: string): DebugMessage {
    const done = this.#post<{ result: Runtime.RemoteObject; exceptionDetails?: unknown }>(
      "Debugger.evaluateOnCallFrame",
      { callFrameId: frame?.callFrameId, expression, generatePreview: true, silent: true },
    );
    if (done === undefined) return { kind: "value", text: "nothing can be evaluated here", failed: true };
    const failed = done.exceptionDetails !== undefined;
    const text = failed ? (done.result.description ?? "").split("\n    at ")[0] : showRemote(done.result);
    return { kind: "value", text: text ?? "", failed };
  }

  /** Answered at once; `undefined` for what it refuses. */
  #post<T = object>(method: string, params: object): T | undefined {
    let answer: T | undefined;
    this.#session.post(method, params, (error, result) => {
      if (error === null) answer = result as T;
    });
    return answer;
  }
}

/** What an error says; `undefined` for other things that are thrown. */
function errorText(data: unknown): string | undefined {
  const { subtype, description = "" } = (data ?? {}) as Runtime.RemoteObject;
  return subtype === "error" ? description.split("\n    at ")[0] : undefined;
}

/** A value on one line, without calling anything of it. */
function showRemote(value: Runtime.RemoteObject | undefined): string {
  if (value === undefined) return "not yet known";
  const { type, description, preview } = value;
  if (type === "string") return JSON.stringify(value.value);
  if (type === "undefined") return "undefined";
  if (preview === undefined)
    return (description ?? String(value.value)).replaceAll(/\s+/g, " ").slice(0, LONGEST_VALUE);
  const isList = preview.subtype === "array";
  const members = preview.properties.map(({ name, type: kind, value: shown = "" }) => {
    const text =
      kind === "string" ? JSON.stringify(shown) : kind === "accessor" ? "(...)" : shown === "" ? kind : shown;
    return isList ? text : `${name}: ${text}`;
  });
  if (preview.overflow) members.push("…");
  const begin = ["Object", "Array"].includes(preview.description?.replace(/\(\d+\)$/, "") ?? "")
    ? ""
    : `${preview.description} `;
  return isList ? `[${members.join(", ")}]` : `${begin}{ ${members.join(", ")} }`;
}
