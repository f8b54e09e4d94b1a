/** Answers of commands that were given before; loaded at every start, so it imports nothing heavy. */
import { lstatSync } from "node:fs";
import { type Answer, Answers, defaultAnswersFolder } from "../../core/host/answers/answers.ts";
import { areValid } from "../../core/host/local-store/are-valid.ts";
import { defaultStoreRoot } from "../../core/host/local-store/layout.ts";

/** What of the environment commands read; what only a network or a builder sees is not part of an answer. */
const VARIABLES: readonly string[] = [
  ...["HOME", "PATH", "TERM", "NO_COLOR", "FORCE_COLOR", "TZ", "LANG", "LC_ALL"],
  ...["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"],
];

/** Variables that change which files of a checkout git lists; with one of them nothing is known beforehand. */
const CHANGES_GIT =
  /^GIT_(?:CONFIG|COMMON_DIR|CEILING|DISCOVERY|OBJECT|ALTERNATE|LITERAL|GLOB|NOGLOB|ICASE|TEST|ATTR|NAMESPACE)/;

/** A command as it was given. */
export interface GivenCommand {
  /** The command line after the program's name. */
  readonly words: readonly string[];
  /** The file that this process began with, `dist/floe.cjs`. */
  readonly entry: string;
}

export interface PlaceOfAnswer {
  readonly answers: Answers;
  readonly key: string;
}

/** Where this process looks for answers, and under which name; `undefined` where nothing can be known. */
export function placeOfAnswer({ words, entry }: GivenCommand): PlaceOfAnswer | undefined {
  const { env } = process;
  const folder = defaultAnswersFolder(env);
  const isOwn = Object.keys(env).some((name) => CHANGES_GIT.test(name) || name === "NODE_OPTIONS");
  const program = lstatSync(entry, { throwIfNoEntry: false });
  if (folder === undefined || isOwn || program === undefined) return undefined;
  const key = JSON.stringify([
    words,
    process.cwd(),
    process.getuid?.(),
    VARIABLES.map((name) => env[name]),
    [process.version, process.arch, entry, program.ino, program.ctimeMs, program.size],
  ]);
  return { answers: new Answers(folder), key };
}

/** What a command prints that would do nothing but print it; `undefined` when that is not known. */
export function findAnswer({ answers, key }: PlaceOfAnswer): string | undefined {
  const answer = answers.find(key);
  return answer !== undefined && holdsInStore(answer) ? answer.text : undefined;
}

function holdsInStore({ store }: Answer): boolean {
  if (store === undefined) return true;
  if (store.isDefault && defaultStoreRoot() !== store.root) return false;
  return areValid(store.database, store.paths);
}
