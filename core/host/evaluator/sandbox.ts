import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/find-program.ts";
import { bundleFiles } from "./bundle-files.ts";
import { ENGINE_FOLDERS } from "./engine.ts";
import { type EvaluatorQuestion, HIDDEN_NAMES } from "./protocol.ts";

/** How an evaluation is kept from the machine; Node's permission model is always there. */
export type Isolation = "sandbox" | "permission-model";

export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly isolation: Isolation;
}

export interface ChildLimits {
  /** Size of the heap in MiB. */
  readonly memoryMiB: number;
  /** Let the process profile itself. Default false. */
  readonly watch?: boolean;
}

/**
 * The Node process alone: it may read the sources and the engine, and nothing else; no child processes, no threads, no add-ons.
 *
 * @throws {CodedError} `evaluation.cannot-confine`
 */
export function nodeCommand(question: EvaluatorQuestion, limits: ChildLimits): ChildCommand {
  const folders = readableFolders(question);
  const clash = findClash(folders);
  if (clash === undefined) return makeNodeCommand(question, limits, folders);
  throw new CodedError(
    "evaluation.cannot-confine",
    `Cannot confine the evaluation: Node 24 cannot tell apart the folders "${clash[0]}" and "${clash[1]}", whose names begin alike`,
    {
      hint: "Install bubblewrap, which can, or rename one of the folders.",
    },
  );
}

function makeNodeCommand(question: EvaluatorQuestion, limits: ChildLimits, readable: readonly string[]): ChildCommand {
  const args = [
    "--permission",
    ...(limits.watch === true ? ["--allow-inspector"] : []),
    ...readable.map((folder) => `--allow-fs-read=${folder}`),
    "--experimental-vm-modules",
    "--no-warnings",
    // Room for what a small evaluation makes: collecting it took a tenth of the time. No flag that changes what V8 compiles: with one Node
    // does not take the compiled code of its own modules, see `child/forbid-code.ts`.
    "--min-semi-space-size=16",
    `--max-old-space-size=${limits.memoryMiB}`,
    childEntry(question),
  ];
  return { program: process.execPath, args, isolation: "permission-model" };
}

/** {@link nodeCommand} in namespaces of its own, without network; `undefined` when bubblewrap is not installed. */
export function sandboxCommand(question: EvaluatorQuestion, limits: ChildLimits): ChildCommand | undefined {
  const bwrap = findProgram("bwrap");
  if (bwrap === undefined) return undefined;
  const folders = readableFolders(question);
  // Where the names clash, what there is to read is still only what is bound below.
  const node = makeNodeCommand(question, limits, findClash(folders) === undefined ? folders : ["*"]);
  const args = ["--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "TZ", "UTC", "--dev", "/dev"];
  for (const file of runtimeFiles()) args.push(...bind(file));
  const hidden: string[] = [];
  for (const { hostPath, folders } of question.mounts) {
    if (folders !== undefined) continue;
    args.push("--ro-bind", hostPath, hostPath);
    hidden.push(...hiddenIn(hostPath));
  }
  args.push(...hidden);
  // After what hides parts of a checkout, because the engine and Node may lie in it.
  for (const folder of engineFolders(question.engine)) args.push("--ro-bind", folder, folder);
  args.push("--ro-bind", node.program, node.program, "--chdir", "/", "--", node.program, ...node.args);
  return { program: bwrap, args, isolation: "sandbox" };
}

/** No folder inside another one, shortest first: Node 24 denies a folder that is named after something inside of it. */
function readableFolders({ engine, mounts }: EvaluatorQuestion): string[] {
  const folders = [
    ...engineFolders(engine),
    ...mounts.filter((mount) => mount.folders === undefined).map((mount) => mount.hostPath),
  ];
  const kept: string[] = [];
  for (const folder of folders.sort((a, b) => a.length - b.length)) {
    if (!kept.some((above) => folder === above || folder.startsWith(`${above}/`))) kept.push(folder);
  }
  return kept;
}

/** Node 24 denies a folder whose path is the beginning of another allowed one's (`/a/flake`, `/a/flake-2`). */
function findClash(folders: readonly string[]): readonly [string, string] | undefined {
  for (const folder of folders) {
    const other = folders.find((longer) => longer !== folder && longer.startsWith(folder));
    if (other !== undefined) return [folder, other];
  }
  return undefined;
}

/** From the bundle it starts several times faster. */
function childEntry({ engine, bundle }: EvaluatorQuestion): string {
  return bundle !== undefined ? bundleFiles(engine).process : `${engine}/core/host/evaluator/child/main.ts`;
}

function engineFolders(engine: string): string[] {
  return [...ENGINE_FOLDERS, "dist", "package.json"]
    .map((folder) => `${engine}/${folder}`)
    .filter((folder) => existsSync(folder));
}

/** What covers {@link HIDDEN_NAMES} of a folder. */
function hiddenIn(folder: string): string[] {
  // A source may be a single file.
  if (!lstatSync(folder).isDirectory()) return [];
  return HIDDEN_NAMES.flatMap((name) => {
    const path = `${folder}/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.isSymbolicLink()) return [];
    return stat.isDirectory() ? ["--tmpfs", path] : ["--ro-bind", "/dev/null", path];
  });
}

/** The shared libraries of this process, which the child, being the same program, will need. */
function runtimeFiles(): string[] {
  const maps = readFileSync("/proc/self/maps", "utf8");
  // Where they are mapped is chance; the same command is to have the same words each time.
  const libraries = new Set(
    [...maps.matchAll(/ (\/\S+\.so(?:\.[0-9.]+)?)$/gm)].map((match) => match[1] as string).sort(),
  );
  // Names under which programs ask for the loader and the libraries, where these are links into /usr.
  const aliases = [
    "/lib",
    "/lib64",
    "/usr/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib64/ld-linux-x86-64.so.2",
  ];
  return [...[...libraries].flatMap(withShortNames), ...aliases.filter(isOwnLink)];
}

/** A library is mapped as `libx.so.6.0.30` and asked for as `libx.so.6`, a link beside it. */
function withShortNames(library: string): string[] {
  const names = [library];
  for (let name = library; /\.so(\.\d+)+$/.test(name); ) {
    name = name.replace(/\.\d+$/, "");
    if (isOwnLink(name)) names.push(name);
  }
  return names;
}

/** A link in a real folder; behind a linked folder it would be made twice. */
function isOwnLink(path: string): boolean {
  const isLink = (place: string): boolean => lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink(path) && !isLink(dirname(path));
}

function bind(path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}
