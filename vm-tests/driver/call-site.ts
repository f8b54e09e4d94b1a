import { fileURLToPath } from "node:url";
import { QemuError } from "qemu-wrapper";
import { CodedError, type SourceLocation } from "../../core/base/index.ts";
import { withoutEdition } from "./own-modules.ts";

const FRAME = /^\s*at (?:async )?(?:.*? \()?(?:file:\/\/)?(.+?):(\d+):(\d+)\)?$/;
/** The folder this code runs from: the driver's own, or that of the bundle it was put into. */
const HERE = folderOf(FRAME.exec(new Error().stack?.split("\n")[1] ?? "")?.[1] ?? import.meta.filename);
const CORE = fileURLToPath(new URL("../../core/", import.meta.url));

/** Where in a story the running call was made; `undefined` when no frame of the stack is a story's. */
export function callSite(stack: string = captureStack()): SourceLocation | undefined {
  for (const line of stack.split("\n")) {
    const match = FRAME.exec(line);
    const file = decodeURIComponent(withoutEdition(match?.[1] ?? ""));
    if (match === null || isOwnFrame(file)) continue;
    return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/** Frames of the driver and of Node are not the author's; the driver's tests stand for stories. */
function isOwnFrame(file: string): boolean {
  if (file === "native" || file.startsWith("node:") || file.includes("/node_modules/")) return true;
  return (file.startsWith(HERE) || file.startsWith(CORE)) && !file.endsWith(".test.ts");
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}

function captureStack(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = limit;
  return stack;
}

/** The same failure with a place in the story, unless it has one already. */
export function withPlace(thrown: unknown, at: SourceLocation | undefined): unknown {
  const error = fromQemu(thrown);
  if (!(error instanceof CodedError) || error.at !== undefined || at === undefined) return error;
  const { code, message, hint, details, exitCode } = error;
  return new CodedError(code, message, { at, hint, details, exitCode, cause: error.cause });
}

/** Errors of the wrapper, which knows nothing of Floe, as Floe's own. */
export function fromQemu(error: unknown): unknown {
  if (!(error instanceof QemuError)) return error;
  const { code, message, hint, details, cause } = error;
  return new CodedError(code, message, { hint, details, cause });
}
