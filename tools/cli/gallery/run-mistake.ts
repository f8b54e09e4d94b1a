import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../checks/source-tree.ts";
import { TestRepository } from "../../../core/host/git/testing.ts";
import { type CliResult, runFloe, temporaryDirectory } from "../testing.ts";
import { type Mistake, type Section, unmark, type World } from "./mistake.ts";

/** What became of a mistake. */
export interface Shown {
  /** Files as the reader sees them. */
  readonly files: Readonly<Record<string, string>>;
  /** Where the message has to begin, `file:line:column`. */
  readonly place: string | undefined;
  /** What was printed for people, with stable names for what differs between machines. */
  readonly message: string;
  readonly code: number;
}

/** The user's folder, as the gallery calls it. */
const HOME = "/home/you";

export interface RunMistakesOptions {
  /** Address of the server that repositories and archives come from. */
  readonly url: string;
  /** Address where nobody answers. */
  readonly down: string;
}

/** Make a mistake in a folder of its own, and see what Floe says. */
export async function runMistake(
  section: Section,
  mistake: Mistake,
  { url, down }: RunMistakesOptions,
): Promise<Shown> {
  const home = realpathSync(temporaryDirectory());
  const folder = `${home}/site`;
  const local = (text: string): string =>
    text.replaceAll("http://git.example.org/", url).replaceAll("http://down.example.org/", down).replaceAll(HOME, home);
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), local(unmark(text).text));
    }
  };
  const own = mistake.files ?? {};
  mkdirSync(folder);
  write({ ...section.files, ...mistake.hidden, ...own });
  mkdirSync(`${home}/.config/floe`, { recursive: true });
  if (mistake.settings !== undefined)
    writeFileSync(`${home}/.config/floe/settings.json`, JSON.stringify(mistake.settings));
  const env = { HOME: home, XDG_CONFIG_HOME: undefined, XDG_CACHE_HOME: undefined, GIT_CONFIG_NOSYSTEM: "1" };
  const run = (words: readonly string[]): Promise<CliResult> =>
    runFloe([...words.map(local), ...(mistake.store === false ? [] : ["--store", `${home}/store`])], {
      cwd: folder,
      env,
    });
  const world: World = {
    folder,
    write,
    async floe(...words) {
      const { code, stderr } = await run(words);
      if (code !== 0) throw new Error(`"floe ${words.join(" ")}" before the mistake failed: ${stderr}`);
    },
    git() {
      const repository = new TestRepository(folder);
      repository.commit();
      return repository;
    },
  };
  await mistake.prepare?.(world);
  const { code, stderr } = await run(mistake.command);
  const marked = Object.entries(own).flatMap(([name, text]) => {
    const { place } = unmark(text);
    return place === undefined ? [] : [`${name}:${place}`];
  });
  return {
    files: Object.fromEntries(Object.entries(own).map(([name, text]) => [name, unmark(text).text])),
    place: marked[0],
    message: stable(stderr.trimEnd(), [
      [home, HOME],
      [url, "http://git.example.org/"],
      [down, "http://down.example.org/"],
      [new URL(url).host, "git.example.org"],
      [new URL(down).host, "down.example.org"],
      [ROOT, "/opt/floe"],
    ]),
    code,
  };
}

/** Names that are the same on every machine. */
function stable(text: string, names: readonly (readonly [string, string])[]): string {
  let told = text;
  for (const [here, everywhere] of names) told = told.replaceAll(here, everywhere);
  // The digests of what is built here depend on the shell of this machine.
  told = told.replace(/\b[0-9abcdfghijklmnpqrsvwxyz]{32}\b/g, "…");
  // How long it took, and what this machine can do: virtual machines, builders with many users.
  return told.replace(/\b\d+\.\d s\b/g, "0.1 s").replace(/, (?:kvm|uid-range)\b/g, "");
}
