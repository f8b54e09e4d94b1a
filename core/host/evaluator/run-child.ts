import { spawn } from "node:child_process";
import { CodedError } from "../../base/index.ts";
import { childFailure } from "./child-failure.ts";
import { Places } from "./places.ts";
import { type EvaluatorQuestion, GREETING } from "./protocol.ts";
import type { StrippedCache } from "./stripped-cache.ts";
import { type ChildCommand, type Isolation, nodeCommand, sandboxCommand } from "./sandbox.ts";

export interface RunChildOptions {
  /** Kill the evaluation after this time. Default 300. */
  readonly timeoutSeconds?: number;
  /** Heap of the evaluation. Default 2048. */
  readonly memoryMiB?: number;
  readonly signal?: AbortSignal;
  /** Stripped modules of earlier evaluations of this flake. */
  readonly modules?: StrippedCache | undefined;
  /** Called with each line the configuration prints. */
  readonly onLine?: (line: string) => void;
}

export interface ChildResult {
  /** The answer's JSON text; not checked. */
  readonly answer: string;
  readonly isolation: Isolation;
}

/** Longest answer that is taken, in bytes. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;

/**
 * Ask the question of a fresh process, in a sandbox if this machine has one.
 *
 * @throws {CodedError} `evaluation.timeout`, `evaluation.out-of-memory`, `evaluation.syntax`, `evaluation.crashed`,
 *   `evaluation.cancelled`
 */
export async function runChild(question: EvaluatorQuestion, options: RunChildOptions = {}): Promise<ChildResult> {
  const limits = { memoryMiB: options.memoryMiB ?? 2048 };
  const sandbox = sandboxCommand(question, limits);
  if (sandbox !== undefined) {
    const result = await runOnce(sandbox, question, options);
    // Ended by us before it spoke: no fault of the sandbox.
    if (result.greeted || result.timedOut || options.signal?.aborted === true)
      return finish(result, sandbox, question, options);
  }
  const node = nodeCommand(question, limits);
  options.onLine?.(
    `The evaluation is confined by the permission model alone: ${sandbox === undefined ? "bubblewrap is not installed" : "bubblewrap cannot start here"}`,
  );
  return finish(await runOnce(node, question, options), node, question, options);
}

interface Outcome {
  readonly greeted: boolean;
  readonly output: string;
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
}

function finish(
  outcome: Outcome,
  { isolation }: ChildCommand,
  question: EvaluatorQuestion,
  options: RunChildOptions,
): ChildResult {
  if (options.signal?.aborted === true) throw options.signal.reason;
  const [, modules, answer] = outcome.output.split("\n", 3);
  if (modules !== undefined && modules !== "") options.modules?.write(modules);
  if (outcome.status === 0 && outcome.greeted && answer !== undefined) return { answer, isolation };
  if (outcome.timedOut) {
    const seconds = options.timeoutSeconds ?? 300;
    throw new CodedError("evaluation.timeout", `Cannot finish the evaluation: it ran longer than ${seconds} seconds`, {
      hint: "Look for a loop without end in the configuration.",
    });
  }
  throw childFailure(outcome, new Places(question.mounts));
}

function runOnce(command: ChildCommand, question: EvaluatorQuestion, options: RunChildOptions): Promise<Outcome> {
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command.program, command.args, {
      env: { TZ: "UTC" },
      stdio: ["pipe", "pipe", "pipe"],
      cwd: "/",
    });
    const output: Buffer[] = [];
    let size = 0;
    let timedOut = false;
    const kill = (): void => void child.kill("SIGKILL");
    const timer = setTimeout(
      () => {
        timedOut = true;
        kill();
      },
      (options.timeoutSeconds ?? 300) * 1000,
    );
    options.signal?.addEventListener("abort", kill, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      output.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) kill();
    });
    const errors = new LineReader(options.onLine);
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    // A child that ends at once closes the pipe before it has read the question; its status tells more than EPIPE.
    child.stdin.on("error", () => {});
    child.stdin.end(`${JSON.stringify(question)}\n${options.modules?.read() ?? "{}"}\n`);
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    child.on("error", (error) => {
      settle();
      reject(error);
    });
    child.on("close", (status, signal) => {
      settle();
      errors.flush();
      const text = Buffer.concat(output).toString("utf8");
      resolve({
        greeted: text.startsWith(`${GREETING}\n`),
        output: text,
        errors: errors.text(),
        status,
        signal,
        timedOut,
      });
    });
  });
}

/** Keeps the error stream, and hands out its lines as they come. */
class LineReader {
  readonly #onLine: ((line: string) => void) | undefined;
  #kept = "";
  #rest = "";

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const text = chunk.toString("utf8");
    if (this.#kept.length < MAX_ERROR_BYTES) this.#kept += text;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    for (const line of lines) this.#say(line);
  }

  flush(): void {
    if (this.#rest !== "") this.#say(this.#rest);
    this.#rest = "";
  }

  text(): string {
    return this.#kept;
  }

  /** What the sandbox says when it cannot start is no word of the configuration. */
  #say(line: string): void {
    if (!line.startsWith("bwrap: ")) this.#onLine?.(plain(line));
  }
}

/** Text of a source without what would move the cursor of a terminal. */
function plain(line: string): string {
  return line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
