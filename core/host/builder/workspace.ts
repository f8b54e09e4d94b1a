import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { utf8 } from "../../base/index.ts";
import { type BuildEnvironment, shellQuote } from "../../build/index.ts";
import { type StorePath, storePathBaseName } from "../../store/index.ts";
import { makeScratch, removeTree } from "../files/index.ts";
import type { BuildUser } from "../sandbox/index.ts";

/** The directories of one build on the host. */
export interface Workspace {
  /** Lies in the store directory, so that outputs can be moved out by rename; nobody else may enter it. */
  readonly topDirectory: string;
  /** What the builder sees as `/nix/store`. */
  readonly storeDirectory: string;
  /** What the builder sees as `/build`. */
  readonly buildDirectory: string;
}

export interface WorkspaceOptions {
  readonly realStoreDirectory: string;
  readonly drvPath: StorePath;
  /** Of the derivation. */
  readonly name: string;
  /** Whether somebody wants to look at its build directory when it fails: that of a build that is killed stays as well then. */
  readonly mayBeKept: boolean;
}

/**
 * Make the directories of a build, in place of what a killed build may have left.
 *
 * Until its modes are made canonical an output may hold set-id programs of our user, so the way to it is closed to others.
 */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const { realStoreDirectory, drvPath, name, mayBeKept } = options;
  const buildDirectory = mayBeKept ? mkdtempSync(`${tmpdir()}/floe-build-${name}-`) : makeScratch(`build-${name}`);
  // Real Nix knows this suffix: its collector takes away what a killed build left there.
  const topDirectory = `${realStoreDirectory}/${storePathBaseName(drvPath)}.chroot`;
  const workspace = { topDirectory, storeDirectory: `${topDirectory}/store`, buildDirectory };
  try {
    removeTree(topDirectory);
    mkdirSync(topDirectory, { mode: 0o700 });
    mkdirSync(workspace.storeDirectory, { mode: 0o755 });
    return workspace;
  } catch (error) {
    removeTree(topDirectory);
    removeTree(buildDirectory);
    throw error;
  }
}

/** Make a build user the owner of its directories and of what is in them already. */
export function giveWorkspace({ topDirectory, storeDirectory, buildDirectory }: Workspace, user: BuildUser): void {
  for (const directory of [topDirectory, storeDirectory, buildDirectory]) chownSync(directory, user.uid, user.gid);
  for (const name of readdirSync(buildDirectory)) lchownSync(`${buildDirectory}/${name}`, user.uid, user.gid);
}

/** Inputs to be bound into the sandbox. Links are copied, since a bind would show what they point to. */
export function placeInputs(
  workspace: Workspace,
  inputs: readonly StorePath[],
  realPath: (path: string) => string,
): { from: string; to: string }[] {
  const binds: { from: string; to: string }[] = [];
  for (const path of inputs) {
    const from = realPath(path);
    const to = storePathBaseName(path);
    if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), `${workspace.storeDirectory}/${to}`);
    else binds.push({ from, to });
  }
  return binds;
}

/** Put the files a builder is to find into its build directory. */
export function writeBuildFiles(workspace: Workspace, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files))
    writeFileSync(`${workspace.buildDirectory}/${name}`, utf8(content), { mode: 0o644 });
}

/** Leave a script beside a failed build that sets its variables in a shell: `. env-vars`. A builder's own one is kept. */
export function writeEnvironmentScript(directory: string, environment: BuildEnvironment["environment"]): void {
  const top = directory;
  const lines = environment
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    .map(
      ([name, value]) =>
        `export ${name}=${shellQuote(value === "/build" || value.startsWith("/build/") ? top + value.slice("/build".length) : value)}\n`,
    );
  try {
    // The builder may have closed it to everybody, and it may be another user's.
    chmodSync(directory, 0o700);
    writeFileSync(`${directory}/env-vars`, utf8(`${lines.join("")}cd ${shellQuote(top)}\n`), { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
