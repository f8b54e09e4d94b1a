import { type BuildEvent, type PlanJob, shortName } from "../../../core/build/index.ts";
import { showUrl } from "../../../core/fetch/index.ts";
import { formatBytes, plainText } from "../text.ts";
import { formatElapsed, LiveBlock } from "./live-block.ts";
import { showPlan } from "./show-plan.ts";

/** Where and how progress is shown. */
export interface BuildProgressOptions {
  /** Write text for people (stderr), as it is. */
  readonly write: (text: string) => void;
  /** Draw a block that is kept up to date at the end of the text; else plain lines. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Width of the terminal. */
  readonly columns: () => number;
  /** Say nothing but failures. Default false. */
  readonly quiet?: boolean | undefined;
  /** Show what will be done, before it is. Default true. */
  readonly plan?: boolean | undefined;
  /** Show every line builders write, with the name in front. Default false. */
  readonly logs?: boolean | undefined;
  /** Where logs are kept; named at the end. */
  readonly logDirectory?: string | undefined;
}

/** What a renderer is told at the end. */
export interface BuildProgressEnd {
  readonly elapsedMs: number;
  readonly cancelled: boolean;
}

/** A renderer of one build run. */
export interface BuildProgress {
  event(event: BuildEvent): void;
  /** Show the totals and leave the terminal as it was. */
  end(report: BuildProgressEnd): void;
}

interface Running {
  readonly name: string;
  readonly job: "build" | "fetch" | "substitute";
  readonly startedMs: number;
  phase: string;
}

/** How many running jobs the block shows. */
const JOB_LINES = 8;

/** Make the renderer of build events for people. */
export function makeBuildProgress(options: BuildProgressOptions): BuildProgress {
  const { write, quiet = false } = options;
  const paint = options.color
    ? (code: string, text: string) => `\u001b[${code}m${text}\u001b[0m`
    : (_code: string, text: string) => text;
  const running = new Map<string, Running>();
  /** Jobs of all plans so far, without those that another plan took the place of. */
  let total = 0;
  let built = 0;
  let fetched = 0;
  let failed = 0;
  let fetchedBytes = 0;
  let lastLine = "";
  const startMs = performance.now();

  const block =
    options.interactive && !quiet ? new LiveBlock({ write, columns: options.columns, lines: blockLines }) : undefined;
  const say = (line: string): void => {
    if (block === undefined) write(`${line}\n`);
    else block.print(line);
  };

  function blockLines(): string[] {
    if (running.size === 0) return [];
    const counts = [
      `${built} built`,
      `${fetched} fetched${fetchedBytes > 0 ? ` (${formatBytes(fetchedBytes)})` : ""}`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      `${Math.max(0, total - built - fetched - failed - running.size)} waiting`,
    ];
    const lines = [
      `${paint("1", `[${built + fetched}/${total}]`)} ${counts.join(", ")}, ${formatElapsed(performance.now() - startMs)}`,
    ];
    const jobs = [...running.values()];
    for (const { job, name, phase, startedMs } of jobs.slice(0, JOB_LINES)) {
      lines.push(
        `  ${paint(job === "build" ? "33" : "36", job === "build" ? job : "fetch")} ${name}${phase === "" ? "" : ` ${phase}`} ${paint("2", formatElapsed(performance.now() - startedMs))}`,
      );
    }
    if (jobs.length > JOB_LINES) lines.push(`  and ${jobs.length - JOB_LINES} more`);
    if (lastLine !== "") lines.push(paint("2", `  > ${lastLine}`));
    return lines;
  }

  function event(event: BuildEvent): void {
    switch (event.kind) {
      case "plan":
        total = built + fetched + failed + countJobs(event.plan.jobs);
        if (!quiet && options.plan !== false) for (const line of showPlan(event.plan)) say(line);
        break;
      case "found":
        total += countJobs(event.jobs);
        if (quiet) break;
        say(
          `${paint("36", "found")} ${shortName(event.drvPath)}, written by ${event.from.replace(/^.*\/[0-9a-z]{32}-/, "")}`,
        );
        if (options.plan !== false) for (const line of showPlan(event)) say(`  ${line}`);
        break;
      case "warning":
        if (!quiet) say(`${paint("33", "warning:")} ${plainText(event.message)}`);
        break;
      case "transfer-started":
        running.set(event.path, {
          name: shortName(event.path),
          job: "substitute",
          startedMs: performance.now(),
          phase: paint("2", `from ${showUrl(event.from)}`),
        });
        break;
      case "transfer-progress": {
        const job = running.get(event.path);
        if (job !== undefined) job.phase = `${formatBytes(event.doneBytes)} of ${formatBytes(event.totalBytes)}`;
        break;
      }
      case "substituted":
        running.delete(event.path);
        fetched++;
        fetchedBytes += event.sizeBytes;
        if (!quiet)
          say(
            `${paint("32", "fetched")} ${shortName(event.path)} from ${showUrl(event.from)} (${formatBytes(event.sizeBytes)})`,
          );
        break;
      case "transfer-failed":
        running.delete(event.path);
        if (!quiet) say(`${paint("33", "not fetched")} ${shortName(event.path)}: ${plainText(event.error.message)}`);
        break;
      case "started": {
        const name = shortName(event.drvPath);
        running.set(event.drvPath, { name, job: event.job, startedMs: performance.now(), phase: "" });
        if (block === undefined && !quiet) say(`${event.job === "build" ? "building" : "fetching"} ${name}`);
        break;
      }
      case "phase": {
        const job = running.get(event.drvPath);
        if (job === undefined) break;
        job.phase = event.phase;
        if (block === undefined && !quiet) say(`${job.name}: ${event.phase}`);
        break;
      }
      case "log-line":
        if (event.line.trim() === "") break;
        lastLine = event.line.trim();
        if (options.logs === true && !quiet) say(`${paint("2", `${shortName(event.drvPath)}>`)} ${event.line}`);
        break;
      case "progress": {
        const job = running.get(event.drvPath);
        if (job === undefined) break;
        const total = event.totalBytes === undefined ? "" : ` of ${formatBytes(event.totalBytes)}`;
        job.phase = `${formatBytes(event.doneBytes)}${total} ${paint("2", `from ${new URL(event.url).host || showUrl(event.url)}`)}`;
        break;
      }
      case "notice":
        if (!quiet) say(`${shortName(event.drvPath)}: ${event.message}`);
        break;
      case "built": {
        const job = running.get(event.drvPath);
        running.delete(event.drvPath);
        if (job?.job === "fetch") {
          fetched++;
          fetchedBytes += event.sizeBytes;
        } else built++;
        if (!quiet)
          say(
            `${paint("32", job?.job === "fetch" ? "fetched" : "built")} ${shortName(event.drvPath)} in ${formatElapsed(event.elapsedMs)} (${formatBytes(event.sizeBytes)})`,
          );
        break;
      }
      case "already-valid":
        if (running.get(event.drvPath)?.job === "fetch") fetched++;
        else built++;
        running.delete(event.drvPath);
        if (!quiet) say(`${shortName(event.drvPath)} was made by another process`);
        break;
      case "unchanged":
        running.delete(event.drvPath);
        total--;
        if (!quiet) say(`${paint("32", "unchanged")} ${shortName(event.drvPath)}: its inputs turned out as before`);
        break;
      case "failed":
        running.delete(event.drvPath);
        failed++;
        for (const line of failureLines(event, paint)) say(line);
        break;
      case "dependency-failed":
        failed++;
        if (!quiet) say(`${paint("31", "skipped")} ${shortName(event.drvPath)}: it needs ${shortName(event.because)}`);
        break;
      case "cancelled":
        running.delete(event.drvPath);
        break;
    }
    block?.changed();
  }

  return {
    event,
    end({ elapsedMs, cancelled }) {
      running.clear();
      block?.close();
      if (quiet || options.plan === false || total === 0) return;
      const ending = cancelled ? "cancelled after" : failed > 0 ? "failed after" : "done in";
      const counts = [`${built} built`, `${fetched} fetched`, ...(failed > 0 ? [`${failed} failed`] : [])];
      write(
        `${ending} ${formatElapsed(elapsedMs)}: ${counts.join(", ")}${options.logDirectory === undefined ? "" : `; logs below ${options.logDirectory}/drvs`}\n`,
      );
    },
  };
}

/** Following an output is no work that anybody waits for. */
function countJobs(jobs: readonly PlanJob[]): number {
  return jobs.filter(({ kind }) => kind !== "follow").length;
}

function failureLines(event: BuildEvent & { kind: "failed" }, paint: (code: string, text: string) => string): string[] {
  const { error } = event;
  return [
    `${paint("31;1", "failed")} ${shortName(event.drvPath)} after ${formatElapsed(event.elapsedMs)}: ${error.message}`,
    ...(error.details ?? []).map((line) => `  ${line}`),
    ...(error.hint === undefined ? [] : [`  ${paint("36", "hint")}: ${error.hint}`]),
  ];
}
