import { resolve } from "node:path";
import { outputId, type PlanJob, shortName, showFollowed, showReason } from "../../../../core/build/index.ts";
import { showUrl } from "../../../../core/fetch/index.ts";
import type { BuildReport } from "../../../../core/host/builder/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import { rememberAnswer } from "../../remember-answer.ts";
import { formatBytes, jsonText, textOfLines } from "../../text.ts";
import { showTransfers } from "../../ui/show-plan.ts";
import { type Resolved, resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";
import type { BuildCommandFlags } from "./index.ts";
import { type LinkedResult, linkResults, linksOf } from "./result-links.ts";

/** `floe build`: evaluate, build, link. */
export default async function build(this: CliContext, flags: BuildCommandFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags);
  const resolved = await resolveInstallables(texts, { context: this, store, flags, needValid: false });
  const targets = resolved.flatMap((each) => each.targets);
  const paths = resolved.flatMap((each) => each.paths);
  const report = await realise(targets, { context: this, store, flags, paths, dryRun: flags.dryRun });
  const groups = resolved.map((each) => results(store, each, report));
  if (flags.dryRun) {
    const { jobs } = report.plan;
    if (flags.json) return this.printJson(jobs.map(jobJson));
    for (const job of jobs) this.print(showJob(job));
    return this.say(jobs.length === 0 ? "nothing to do" : `${jobs.length} to do${showTransfers(jobs)}`);
  }
  const link = resolve(this.cwd, flags.outLink);
  if (flags.link) linkResults(groups, { store, link });
  const text = flags.json
    ? jsonText(resolved.map((each, index) => resultJson(each, groups[index] ?? [], report)))
    : textOfLines(flags.printOutPaths ? groups.flat().map(({ path }) => path) : []);
  this.process.stdout.write(text);
  if (flags.rebuild || report.plan.jobs.length > 0) return;
  const outPaths = groups.flat().map(({ path }) => path);
  const drvPaths = resolved.flatMap(({ targets }) => targets.map(({ drvPath }) => drvPath));
  const links = flags.link ? linksOf(groups, link).flatMap(([name]) => [name, store.placeOfRoot(name)]) : [];
  await rememberAnswer(this, {
    text,
    watched: resolved.map(({ watched }) => watched ?? (async () => undefined)),
    links,
    store: {
      root: store.root,
      isDefault: flags.store === undefined,
      database: store.databaseFile,
      paths: [...new Set([...drvPaths, ...report.outputs, ...outPaths])],
    },
  });
}

/** One job of a plan, as one line. */
function showJob(job: PlanJob): string {
  if (job.kind === "follow") return `then  what ${showFollowed(job)} says`;
  if (job.kind !== "substitute") return `${job.kind.padEnd(5)} ${shortName(job.drvPath)}: ${showReason(job.why)}`;
  const { downloadSize, from } = job.offer;
  return `fetch ${shortName(job.path)}: ${downloadSize === undefined ? "" : `${formatBytes(downloadSize)} `}from ${showUrl(from)}`;
}

function jobJson(job: PlanJob): Record<string, unknown> {
  if (job.kind === "follow") return { drvPath: job.drvPath, kind: job.kind, through: job.through };
  if (job.kind !== "substitute") return { drvPath: job.drvPath, kind: job.kind, why: showReason(job.why) };
  const { info, from, downloadSize } = job.offer;
  return { path: job.path, kind: job.kind, from, narSize: info.narSize, downloadSize };
}

/** The store paths an installable stands for, with the names of their outputs. */
function results(store: LocalStore, { targets, paths }: Resolved, { impure, followed }: BuildReport): LinkedResult[] {
  const built = targets.flatMap((target) => {
    const { drvPath, outputs, through } = followed.get(target) ?? target;
    // Only planned: nobody knows yet.
    if (through !== undefined) return [];
    const drv = store.readDerivation(drvPath);
    return (outputs ?? Object.keys(drv.outputs)).map((output) => ({
      output,
      path: (impure.get(outputId({ drvPath, output })) ?? store.findOutput(drv, output)) as LinkedResult["path"],
    }));
  });
  return [...built, ...paths.map((path) => ({ output: "out", path }))];
}

/** In the shape of `nix build --json`. */
function resultJson(
  { attribute, targets: [target] }: Resolved,
  linked: readonly LinkedResult[],
  { followed }: BuildReport,
): Record<string, unknown> {
  const { drvPath } = (target && followed.get(target)) ?? target ?? {};
  return {
    ...(attribute === undefined ? {} : { attribute }),
    ...(drvPath === undefined ? {} : { drvPath }),
    outputs: Object.fromEntries(linked.map(({ output, path }) => [output, path])),
  };
}
