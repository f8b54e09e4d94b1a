import { CodedError, type SourceLocation } from "../../base/index.ts";
import { parseAnswer } from "./answer-schema.ts";
import { childFailure, ranOutOfMemory } from "./child-failure.ts";
import { DebugChannel, debugQuestion, type EvaluationDebugger } from "./debug-channel.ts";
import { DEBUG_ARGUMENT } from "./debug-protocol.ts";
import { type EarlyStart, takeEarlyStart } from "./early-start.ts";
import { type EvaluationLimits, readEvaluationLimits } from "./limits.ts";
import { Places } from "./places.ts";
import { type EvaluationProfile, parseProfile } from "./profile.ts";
import { CONSOLE_MARK, type EvaluatorQuestion, GREETING } from "./protocol.ts";
import { killEvaluation, spawnEvaluation } from "./spawn-evaluation.ts";
import type { StrippedCache } from "./stripped-cache.ts";
import { type ChildCommand, type ChildLimits, type Isolation, nodeCommand, sandboxCommand } from "./sandbox.ts";

export interface RunChildOptions {
  /** Kill the evaluation after this time. Default what the settings say, see `readEvaluationLimits`. */
  readonly timeoutSeconds?: number;
  /** Heap of the evaluation. Default what the settings say. */
  readonly memoryMiB?: number;
  /** Longest answer that is taken. Default 512 MiB. */
  readonly maxAnswerBytes?: number;
  readonly signal?: AbortSignal;
  /** Stripped modules of earlier evaluations of this flake. */
  readonly modules?: StrippedCache | undefined;
  /** Called with each line the configuration prints. */
  readonly onLine?: (line: string) => void;
  /** Called with where the time went, which makes the evaluation a little slower. */
  readonly onProfile?: ((profile: EvaluationProfile) => void) | undefined;
  /** Who is asked what to do where the evaluation stops; then it may take as long as it likes. */
  readonly debugger?: EvaluationDebugger | undefined;
}

export interface ChildResult {
  /** The answer's JSON text; not checked. */
  readonly answer: string;
  readonly isolation: Isolation;
}

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** For evaluations that wait for people: as long as a timer can wait. */
const LONGEST_SECONDS = 2_000_000;
const MAX_ERROR_BYTES = 1024 * 1024;

/** Longest and shortest time that an evaluation is watched which did not end, in milliseconds. */
const MAX_WATCH_MS = 5_000;
const MIN_WATCH_MS = 100;
/** What the process needs besides its heap and a quarter of it for buffers, in MiB: address space set aside, stacks of threads. */
const BASE_MIB = 1024;

/**
 * Ask the question of a fresh process, in a sandbox if this machine has one.
 *
 * @throws {CodedError} `evaluation.timeout`, `evaluation.out-of-memory`, `evaluation.answer-too-large`, `evaluation.syntax`,
 *   `evaluation.crashed`, `evaluation.settings-malformed`; under a debugger `evaluation.no-such-line`, `evaluation.given-up`
 */
export async function runChild(asked: EvaluatorQuestion, options: RunChildOptions = {}): Promise<ChildResult> {
  const settings = readEvaluationLimits();
  const { timeoutSeconds = settings.timeoutSeconds, memoryMiB = settings.memoryMiB, onProfile } = options;
  const places = new Places(asked.mounts);
  const question: EvaluatorQuestion = {
    ...asked,
    ...(onProfile === undefined ? {} : { profile: true }),
    ...(options.debugger === undefined ? {} : { debug: debugQuestion(options.debugger, places) }),
  };
  const isDebugged = options.debugger !== undefined;
  const limits = {
    timeoutSeconds: isDebugged ? LONGEST_SECONDS : timeoutSeconds,
    memoryMiB,
    watch: isDebugged || onProfile !== undefined,
  };
  const [outcome, isolation] = await runConfined(question, limits, options);
  if (options.signal?.aborted === true) throw options.signal.reason;
  if (outcome.givenUp !== undefined) throw outcome.givenUp.error;
  const [, modules, answer, profile] = outcome.output.split("\n", 4);
  if (modules !== undefined && modules !== "") options.modules?.write(modules);
  if (outcome.tooLarge) {
    throw new CodedError(
      "evaluation.answer-too-large",
      `Cannot finish the evaluation: its answer has more than ${options.maxAnswerBytes ?? MAX_ANSWER_BYTES} bytes`,
      { hint: "Put large texts into files of the flake, and use them with local()." },
    );
  }
  if (outcome.status === 0 && outcome.greeted && answer !== undefined) {
    if (profile !== undefined && profile !== "") onProfile?.(parseProfile(profile, places));
    outcome.keep();
    return { answer, isolation };
  }
  const spent = outcome.timedOut ? timeoutSeconds * 1000 : outcome.milliseconds / 4;
  const watchMs = Math.round(Math.min(MAX_WATCH_MS, Math.max(MIN_WATCH_MS, spent)));
  if (outcome.timedOut) throw timeoutError(timeoutSeconds, await findPlace({ ...asked, watchMs }, limits, options));
  if (ranOutOfMemory(outcome.errors))
    throw memoryError(memoryMiB, await findPlace({ ...asked, watchMs }, limits, options));
  throw childFailure(outcome, places);
}

function timeoutError(seconds: number, at: SourceLocation | undefined): CodedError {
  return new CodedError("evaluation.timeout", `Cannot finish the evaluation: it ran longer than ${seconds} seconds`, {
    at,
    hint: `Look for a loop without end, or allow more in ~/.config/floe/settings.json: { "evaluationTimeout": ${Math.ceil(seconds * 2)} }`,
  });
}

function memoryError(memoryMiB: number, at: SourceLocation | undefined): CodedError {
  return new CodedError(
    "evaluation.out-of-memory",
    `Cannot finish the evaluation: it needs more than ${memoryMiB} MiB of memory`,
    {
      at,
      hint: `Look for a list or text that grows without end, or allow more in ~/.config/floe/settings.json: { "evaluationMemory": "${memoryMiB * 2}M" }`,
    },
  );
}

/**
 * Where an evaluation is that reached a limit. It is asked again and watched for a moment: evaluations repeat exactly, and so those
 * that end well do not pay for it. On a busy machine the moment may be over before any configuration ran, and then it is watched for
 * longer. Where nothing is found, it is the beginning of the configuration.
 */
async function findPlace(
  question: EvaluatorQuestion & { readonly watchMs: number },
  limits: EvaluationLimits,
  { signal }: RunChildOptions,
): Promise<SourceLocation> {
  const places = new Places(question.mounts);
  const run = { ...(signal === undefined ? {} : { signal }) };
  // More than it had, so that it is still there when the time is over.
  const memoryMiB = Math.max(1024, limits.memoryMiB * 4);
  for (let watchMs = question.watchMs; watchMs <= MAX_WATCH_MS; watchMs *= 4) {
    const timeoutSeconds = watchMs / 1000 + 10;
    const [outcome] = await runConfined({ ...question, watchMs }, { timeoutSeconds, memoryMiB, watch: true }, run);
    const answer = outcome.output.split("\n", 3)[2];
    if (outcome.status !== 0 || answer === undefined) break;
    const { answer: watched } = parseAnswer(answer);
    const at = watched.kind === "error" ? watched.error.at : undefined;
    if (at !== undefined && places.has(at.file)) return { ...at, file: places.onHost(at.file) };
  }
  return { file: places.onHost(question.configFile), line: 1, column: 1 };
}

interface Outcome {
  readonly greeted: boolean;
  readonly output: string;
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly tooLarge: boolean;
  readonly milliseconds: number;
  /** Why a debugger ended it. */
  readonly givenUp: { readonly error: unknown } | undefined;
  /** Whether it was started before it was known what there is to ask. */
  readonly wasBegun: boolean;
  /** Begin with this the next time that the command is given. */
  readonly keep: () => void;
}

type RunLimits = EvaluationLimits & ChildLimits;

async function runConfined(
  question: EvaluatorQuestion,
  limits: RunLimits,
  options: RunChildOptions,
): Promise<readonly [Outcome, Isolation]> {
  // Who debugs goes on talking to the process.
  const early = options.debugger === undefined ? takeEarlyStart() : undefined;
  const run = async (command: ChildCommand): Promise<Outcome> => {
    const outcome = await runOnce(command, question, limits, options, early);
    // What was begun before anybody looked may have missed what is there now.
    return outcome.greeted || !outcome.wasBegun ? outcome : runOnce(command, question, limits, options, early);
  };
  const sandbox = sandboxCommand(question, limits);
  if (sandbox !== undefined) {
    const outcome = await run(sandbox);
    // Ended by us before it spoke: no fault of the sandbox.
    if (outcome.greeted || outcome.timedOut || options.signal?.aborted === true) return [outcome, sandbox.isolation];
  }
  const node = nodeCommand(question, limits);
  options.onLine?.(
    `The evaluation is confined by the permission model alone: ${sandbox === undefined ? "bubblewrap is not installed" : "bubblewrap cannot start here"}`,
  );
  return [await run(node), node.isolation];
}

function runOnce(
  command: ChildCommand,
  question: EvaluatorQuestion,
  limits: RunLimits,
  options: RunChildOptions,
  early: EarlyStart | undefined,
): Promise<Outcome> {
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const started = performance.now();
    // The heap has a limit of its own; this one is for all the memory that is taken outside of it.
    const dataKiB = (limits.memoryMiB + limits.memoryMiB / 4 + BASE_MIB) * 1024;
    const limited = ['ulimit -d "$0" 2>/dev/null; exec "$@"', String(Math.round(dataKiB)), command.program];
    const last = question.debug === undefined ? [] : [DEBUG_ARGUMENT];
    const asked = { words: ["/bin/sh", "-c", ...limited, ...command.args, ...last], modules: options.modules?.file };
    const line = JSON.stringify(question);
    const begun = early?.take(asked, line);
    const child = begun ?? spawnEvaluation(asked);
    const { maxAnswerBytes = MAX_ANSWER_BYTES } = options;
    const output: Buffer[] = [];
    let size = 0;
    let timedOut = false;
    let tooLarge = false;
    const kill = (): void => killEvaluation(child);
    let givenUp: Outcome["givenUp"];
    const channel =
      options.debugger === undefined
        ? undefined
        : new DebugChannel({
            debugger: options.debugger,
            places: new Places(question.mounts),
            send: (words) => void child.stdin?.write(words),
            quit: (error) => {
              givenUp ??= { error };
              kill();
            },
          });
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, limits.timeoutSeconds * 1000);
    options.signal?.addEventListener("abort", kill, { once: true });
    child.stdout?.on("data", (chunk: Buffer) => {
      const rest = channel?.push(chunk) ?? chunk;
      output.push(rest);
      size += rest.length;
      tooLarge ||= size + (channel?.heldBytes ?? 0) > maxAnswerBytes;
      if (tooLarge) kill();
    });
    const errors = new LineReader(options.onLine);
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => errors.push(chunk));
    // A child that ends at once closes the pipe before it has read the question; its status tells more than EPIPE.
    child.stdin?.on("error", () => {});
    child.stdin?.write(`${line}\n`);
    if (channel === undefined) child.stdin?.end();
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
      channel?.end();
      errors.flush();
      const text = Buffer.concat(output).toString("utf8");
      resolve({
        greeted: text.startsWith(`${GREETING}\n`),
        output: text,
        errors: errors.text(),
        status,
        signal,
        timedOut,
        tooLarge,
        milliseconds: performance.now() - started,
        givenUp,
        wasBegun: begun !== undefined,
        keep: () => early?.keep(asked, line),
      });
    });
  });
}

/** Hands out the lines of the configuration as they come, and keeps what the runtime says. */
class LineReader {
  readonly #onLine: ((line: string) => void) | undefined;
  #kept = "";
  #rest = "";

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  push(text: string): void {
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

  #say(line: string): void {
    if (line.startsWith(CONSOLE_MARK)) this.#onLine?.(plain(line));
    else if (this.#kept.length < MAX_ERROR_BYTES) this.#kept += `${line}\n`;
  }
}

/** Text of a source without what would move the cursor of a terminal. */
function plain(line: string): string {
  return line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
