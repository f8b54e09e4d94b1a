import type { SourceLocation } from "./errors.ts";

interface StackCapture {
  stack?: string;
}

/** `at f (file:line:column)` or `at file:line:column`. */
const FRAME = /^\s*at (?:.*? \()?(?:file:\/\/)?(.+?):(\d+):(\d+)\)?$/;

/** The folder that holds all core floors, ending in a slash; frames below it are the engine's own. */
const CORE = coreFolder(import.meta.url as string | undefined);

function coreFolder(url: string | undefined): string {
  // An evaluator may load modules without a place; then no frame counts as ours.
  if (url === undefined) return "\0";
  const path = decodePath(url.replace(/^file:\/\//, ""));
  return path.slice(0, path.lastIndexOf("/", path.lastIndexOf("/") - 1) + 1);
}

/** A path as a stack frame has it, with its special characters as in an address; as it stands where that is none. */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Where core lies when it is bundled, ending in a slash. */
const BUNDLES = CORE.replace(/[^/]+\/$/, "dist/");

/** Frames of core and its bundles are skipped, except those of its tests, which stand for a user. */
function isOwnFrame(file: string): boolean {
  if (file.startsWith(CORE)) return !file.endsWith(".test.ts");
  return file.startsWith("node:") || (file.startsWith(BUNDLES) && /\.c?js$/.test(file));
}

/**
 * Where the code that called us stands: the nearest stack frame outside Floe's own `core` folders.
 *
 * @param above Leave out this function and everything it called, too.
 * @returns `undefined` when no frame is the user's.
 */
export function callerLocation(above?: Function): SourceLocation | undefined {
  return captureCaller(above ?? callerLocation)();
}

/**
 * Like {@link callerLocation}, worked out only when it is asked for: to write down where one stands is cheap, to read
 * it costs a hundred times more, and most places are never told to anybody.
 */
export function captureCaller(above?: Function): () => SourceLocation | undefined {
  const engine = Error as unknown as {
    stackTraceLimit: number;
    captureStackTrace?(target: StackCapture, above?: Function): void;
  };
  if (engine.captureStackTrace === undefined) return () => undefined;
  const limit = engine.stackTraceLimit;
  let capture: StackCapture | undefined = {};
  // In the realm of an evaluation Error is frozen, with as high a limit.
  const raised = Reflect.set(engine, "stackTraceLimit", 60);
  engine.captureStackTrace(capture, above ?? captureCaller);
  if (raised) engine.stackTraceLimit = limit;
  let found: SourceLocation | undefined;
  return () => {
    if (capture !== undefined) found = firstForeignFrame(capture.stack ?? "");
    capture = undefined;
    return found;
  };
}

function firstForeignFrame(stack: string): SourceLocation | undefined {
  for (const line of stack.split("\n")) {
    const match = FRAME.exec(line);
    if (match === null) continue;
    const file = decodePath(match[1] as string);
    if (!isOwnFrame(file)) return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}
