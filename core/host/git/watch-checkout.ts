import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { presentOrNot, type Watched } from "../answers/index.ts";
import { findProgram } from "../process/find-program.ts";
import { runGit } from "./program-backend.ts";

/** Files of a repository that say what is tracked and what is ignored, as git calls them. */
const OWN_FILES = ["index", "config", "config.worktree", "info/exclude", "info/sparse-checkout"];

/**
 * What it depends on, besides the folders themselves, whether git counts a file of a checkout: its index, its configuration, and the
 * ignore files in these folders.
 *
 * @param root The top folder.
 * @param folders Folders of the checkout that matter, absolute, with every one above them up to the top.
 * @returns `undefined` where that cannot be told: git is not installed, or its configuration includes other files.
 */
export async function watchCheckout(root: string, folders: Iterable<string>): Promise<Watched | undefined> {
  const program = findProgram("git");
  if (program === undefined) return undefined;
  const names = OWN_FILES.flatMap((name) => ["--git-path", name]);
  const [places, settings] = await Promise.all([
    runGit(["rev-parse", ...names], { cwd: root }),
    runGit(["config", "--list", "--null", "--show-origin"], { cwd: root }),
  ]);
  const files = places
    .trimEnd()
    .split("\n")
    .map((place) => resolve(root, place));
  // A line break in a folder's name.
  if (files.length !== OWN_FILES.length) return undefined;
  const parts = settings.split("\0");
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [origin = "", setting = ""] = parts.slice(i, i + 2);
    const [key = "", value = ""] = splitOnce(setting);
    if (/^include(if)?\./.test(key)) return undefined;
    // Spelled in a way that git alone can read.
    if (key === "core.excludesfile" && /^(?:~(?!\/)|%\(|:\()/.test(value)) return undefined;
    if (key === "core.excludesfile") files.push(resolve(root, value.replace(/^~\//, `${homedir()}/`)));
    if (origin.startsWith("file:")) files.push(resolve(root, origin.slice("file:".length)));
  }
  // Where there is none, one may come.
  const config = process.env["XDG_CONFIG_HOME"] || `${homedir()}/.config`;
  files.push(`${config}/git/config`, `${config}/git/ignore`, `${homedir()}/.gitconfig`, "/etc/gitconfig");
  files.push(join(dirname(dirname(program)), "etc/gitconfig"));
  for (const folder of folders) files.push(`${folder}/.gitignore`);
  return presentOrNot(files);
}

function splitOnce(setting: string): string[] {
  const end = setting.indexOf("\n");
  return end === -1 ? [setting] : [setting.slice(0, end), setting.slice(end + 1)];
}
