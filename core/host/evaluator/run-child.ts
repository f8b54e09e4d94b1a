import { CodedError, type SourceLocation } from "../../base/index.ts";
import { parseAnswer } from "./answer-schema.ts";
import { childFailure, ranOutOfMemory } from "./child-failure.ts";
import { DebugChannel, debugQuestion, type EvaluationDebugger } from "./debug-channel.ts";
import { DEBUG_ARGUMENT } from "./debug-protocol.ts";
import { type EarlyStart, takeEarlyStart } from "./early-start.ts";
import { type EvaluationLimits, readEvaluationSettings, type Stays } from "./limits.ts";
import { Places } from "./places.ts";
import { type EvaluationProfile, parseProfile } from "./profile.ts";
import type { ModuleCache } from "./module-cache.ts";
import { CONSOLE_MARK, END_MARK, type EvaluatorQuestion, GREETING, UNCHANGED_MARK } from "./protocol.ts";
import { spawnEvaluation } from "./spawn-evaluation.ts";
import { type ChildCommand, type ChildLimits, type Isolation, nodeCommand, sandboxCommand } from "./sandbox.ts";

export interface RunChildOptions {
  /** Kill the evaluation after this time. Default what the settings say, see `readEvaluationSettings`. */
  readonly timeoutSeconds?: number;
  /** Heap of the evaluation. Default what the settings say. */
  readonly memoryMiB?: number;
  /** Longest answer that is taken. Default 512 MiB. */
  readonly maxAnswerBytes?: number;
  readonly signal?: AbortSignal;
  /** What is kept of this flake's modules. */
  readonly modules?: ModuleCache | undefined;
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
const LAST_LINE = `\n${END_MARK}\n`;
const MAX_ERROR_BYTES = 1024 * 1024;
const NOBODY_STAYS: Stays = { first: 0, again: 0 };

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
  const settings = readEvaluationSettings();
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
  // From its sources the engine is loaded before anything else, and not looked at again.
  const stays = question.bundle === undefined ? NOBODY_STAYS : settings.stays;
  const [outcome, isolation] = await runConfined(question, limits, options);
  if (options.signal?.aborted === true) throw options.signal.reason;
  if (outcome.givenUp !== undefined) throw outcome.givenUp.error;
  const [, modules, answer, profile] = outcome.output.split("\n", 4);
  if (modules !== undefined && modules !== "") options.modules?.update(modules);
  if (outcome.tooLarge) {
    throw new CodedError(
      "evaluation.answer-too-large",
      `Cannot finish the evaluation: its answer has more than ${options.maxAnswerBytes ?? MAX_ANSWER_BYTES} bytes`,
      { hint: "Put large texts into files of the flake, and use them with local()." },
    );
  }
  if (outcome.isWhole && answer !== undefined) {
    if (onProfile !== undefined && profile !== undefined) onProfile(parseProfile(profile, places));
    outcome.keep(stays);
    return { answer, isolation };
  }
  const spent = outcome.timedOut ? timeoutSeconds * 1000 : outcome.milliseconds / 4;
  const watchMs = Math.round(Math.min(MAX_WATCH_MS, Math.max(MIN_WATCH_MS, spent)));
  if (outcome.timedOut) throw timeoutError(timeoutSeconds, await findPlace({ ...asked, watchMs }, limits, options));
  if (ranOutOfMemory(outcome.errors))
    throw memoryError(memoryMiB, await findPlace({ ...asked, watchMs }, limits, options));
  if (outcome.greeted) outcome.keep(stays);
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
  /** Whether it has said all that it had to say. */
  readonly isWhole: boolean;
  readonly output: string;
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly tooLarge: boolean;
  readonly milliseconds: number;
  /** Why a debugger ended it. */
  readonly givenUp: { readonly error: unknown } | undefined;
  /** What it says of how it failed is no answer: it was there before it was known what there is to ask. */
  readonly isInVain: boolean;
  /** Begin with this the next time that the command is given. */
  readonly keep: (stays: Stays) => void;
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
    let toldLines = 0;
    const once = (isFresh: boolean): Promise<Outcome> => {
      let lines = 0;
      // What is evaluated again says the same again.
      const onLine = (line: string): void => {
        lines += 1;
        if (lines <= toldLines) return;
        toldLines = lines;
        options.onLine?.(line);
      };
      return runOnce({ command, question, limits, options: { ...options, onLine }, early, isFresh });
    };
    const outcome = await once(false);
    return outcome.isInVain ? once(true) : outcome;
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

interface RunOnceOptions {
  readonly command: ChildCommand;
  readonly question: EvaluatorQuestion;
  readonly limits: RunLimits;
  readonly options: RunChildOptions;
  readonly early: EarlyStart | undefined;
  /** Whether it has to be a process that is started for this. */
  readonly isFresh: boolean;
}

function runOnce({ command, question, limits, options, early, isFresh }: RunOnceOptions): Promise<Outcome> {
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const started = performance.now();
    // The heap has a limit of its own; this one is for all the memory that is taken outside of it.
    const dataKiB = (limits.memoryMiB + limits.memoryMiB / 4 + BASE_MIB) * 1024;
    const limited = ['ulimit -d "$0" 2>/dev/null; exec "$@"', String(Math.round(dataKiB)), command.program];
    const last = question.debug === undefined ? [] : [DEBUG_ARGUMENT];
    const places = new Places(question.mounts);
    const asked = {
      words: ["/bin/sh", "-c", ...limited, ...command.args, ...last],
      modules: options.modules?.file,
      flake: places.onHost(question.configFile),
    };
    const line = JSON.stringify(question);
    const begun = isFresh ? undefined : early?.take(asked, line);
    const child = begun ?? spawnEvaluation(asked);
    const { maxAnswerBytes = MAX_ANSWER_BYTES } = options;
    const output: Buffer[] = [];
    let size = 0;
    let timedOut = false;
    let tooLarge = false;
    const kill = (): void => child.kill();
    let givenUp: Outcome["givenUp"];
    const channel =
      options.debugger === undefined
        ? undefined
        : new DebugChannel({
            debugger: options.debugger,
            places,
            send: (words) => void child.input?.write(words),
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
    let isSettled = false;
    const settle = (): boolean => {
      if (isSettled) return false;
      isSettled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
      return true;
    };
    const errors = new LineReader(options.onLine);
    const finish = (status: number | null, signal: NodeJS.Signals | null): void => {
      if (!settle()) return;
      channel?.end();
      errors.flush();
      const text = Buffer.concat(output).toString("utf8");
      const greeted = text.startsWith(`${GREETING}\n`);
      const isWhole = greeted && text.endsWith(LAST_LINE) && !tooLarge && !timedOut;
      const isOver = isWhole || timedOut || tooLarge || givenUp !== undefined || options.signal?.aborted === true;
      resolve({
        greeted,
        isWhole,
        output: text,
        errors: errors.text(),
        status,
        signal,
        timedOut,
        tooLarge,
        milliseconds: performance.now() - started,
        givenUp,
        isInVain: !isOver && begun !== undefined && (begun.isSpare || !greeted),
        keep: (stays) => early?.keep(asked, line, stays),
      });
    };
    /** Once both streams are at their ends nothing more can come, and nobody has to wait for the process to be cleared away. */
    const finishIfSaid = (): void => {
      if (!errors.hasEnded || !endsWith(output, LAST_LINE)) return;
      finish(0, null);
      child.hold(false);
      kill();
    };
    child.output.on("data", (chunk: Buffer) => {
      const rest = channel?.push(chunk) ?? chunk;
      output.push(rest);
      size += rest.length;
      tooLarge ||= size + (channel?.heldBytes ?? 0) > maxAnswerBytes;
      if (tooLarge) kill();
      else finishIfSaid();
    });
    child.errors.setEncoding("utf8").on("data", (chunk: string) => {
      errors.push(chunk);
      finishIfSaid();
    });
    if (begun === undefined) {
      // A child that ends at once closes the pipe before it has read the question; its status tells more than EPIPE.
      child.input?.on("error", () => {});
      child.input?.write(`${line}\n`);
      if (channel === undefined) child.input?.end();
    }
    child.onFailure((error) => {
      if (settle()) reject(error);
    });
    child.onEnd(finish);
  });
}

/** Whether bytes that came in pieces end with this. */
function endsWith(chunks: readonly Buffer[], text: string): boolean {
  let tail = "";
  for (let i = chunks.length - 1; i >= 0 && tail.length < text.length; i--)
    tail = `${chunks[i]?.subarray(-text.length).toString("latin1")}${tail}`;
  return tail.endsWith(text);
}

/** Hands out the lines of the configuration as they come, and keeps what the runtime says. */
class LineReader {
  readonly #onLine: ((line: string) => void) | undefined;
  /** Whether the last line has come. */
  hasEnded = false;
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
    if (line === END_MARK) this.hasEnded = true;
    else if (line === UNCHANGED_MARK) return;
    else if (line.startsWith(CONSOLE_MARK)) this.#onLine?.(plain(line));
    else if (this.#kept.length < MAX_ERROR_BYTES) this.#kept += `${line}\n`;
  }
}

/** Text of a source without what would move the cursor of a terminal. */
function plain(line: string): string {
  return line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
