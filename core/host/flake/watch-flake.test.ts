import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { stampAll, type Watched } from "../answers/index.ts";
import { isAsItWas } from "../answers/watched.ts";
import { makeFolder } from "../evaluator/testing.ts";
import { TestRepository } from "../git/testing.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { openFlake } from "./open-flake.ts";

const FILES = {
  "flake.config.ts": `import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { b } from "./values/b.ts";
export default defineFlake({ outputs: () => ({ a: \`\${local("./tree")} \${b}\` }) });
`,
  "values/b.ts": "export const b: string = 'b';\n",
  "tree/file": "one",
  "tree/deep/file": "two",
  "tree/objects/a.o": "ignored",
  "unused/file": "x",
  "start/here": "",
  ".gitignore": "*.o\n",
};

/** Where git looks for what the user wants everywhere. */
const home = makeFolder({});
process.env["HOME"] = home;
delete process.env["XDG_CONFIG_HOME"];

/** What an answer about a flake depends on, asked from a folder inside. */
async function watch(folder: string, reference: string): Promise<Watched | undefined> {
  const { store, close } = openTemporaryStore();
  try {
    const options = { reference, cwd: "/", store, records: `${folder}-records`, memory: false } as const;
    const first = await (await openFlake(options)).evaluate({ attribute: "a" });
    assert.is(await (await openFlake(options)).watched(first), undefined, "one that was just made");
    const opened = await openFlake(options);
    const again = await opened.evaluate({ attribute: "a" });
    assert.ok(again.fromRecord);
    return await opened.watched(again);
  } finally {
    close();
    rmSync(`${folder}-records`, { recursive: true, force: true });
  }
}

/** Whether a change is seen; it is taken back. */
function isSeen(watched: Watched, change: () => () => void): boolean {
  const stamps = stampAll(watched, Number.POSITIVE_INFINITY);
  if (stamps === undefined) throw new Error("Something is missing");
  assert.ok(isAsItWas(stamps, watched.absent));
  const undo = change();
  const seen = !isAsItWas(stamps, watched.absent);
  undo();
  return seen;
}

const text = (path: string, contents: string) => () => {
  const before = existsSync(path) ? readFileSync(path) : undefined;
  writeFileSync(path, contents);
  return () => (before === undefined ? rmSync(path) : writeFileSync(path, before));
};

test("watched() sees each change after which an answer about a checkout may be another one", async () => {
  const { folder, git } = checkout();
  const watched = await watch(folder, `${folder}/start`);
  assert.ok(watched);
  const at = (name: string): string => `${folder}/${name}`;
  const changes: Readonly<Record<string, () => () => void>> = {
    "the flake itself": text(at("flake.config.ts"), "// other\n"),
    "a file it imports": text(at("values/b.ts"), "export const b = 'c';\n"),
    "a file of a tree": text(at("tree/deep/file"), "other"),
    "a file more in a tree": text(at("tree/deep/more"), ""),
    "a file more in a folder of which nothing counts": text(at("tree/objects/new"), ""),
    "a lock": text(at("lock.json"), "{}"),
    "a flake that is nearer": text(at("start/flake.config.ts"), ""),
    "a checkout that is nearer": () => {
      mkdirSync(at("start/.git"));
      return () => rmSync(at("start/.git"), { recursive: true });
    },
    "what is ignored": text(at(".gitignore"), "tree/deep\n"),
    "what is ignored in a folder": text(at("tree/.gitignore"), "deep\n"),
    "what this checkout ignores": text(at(".git/info/exclude"), "deep\n"),
    "what the user ignores": () => {
      mkdirSync(`${home}/.config/git`, { recursive: true });
      return text(`${home}/.config/git/ignore`, "deep\n")();
    },
    "a setting of the user": text(`${home}/.gitconfig`, "[core]\n\texcludesFile = ~/none\n"),
    "a setting of the checkout": () => {
      git("config", "core.excludesFile", "/nowhere");
      return () => git("config", "--unset", "core.excludesFile");
    },
    "what is tracked": () => {
      git("add", "--force", "tree/objects/a.o");
      return () => git("rm", "--quiet", "--cached", "tree/objects/a.o");
    },
    "folders that change places": () => {
      const swap = (): void => {
        renameSync(at("values"), at("aside"));
        renameSync(at("unused"), at("values"));
        renameSync(at("aside"), at("unused"));
      };
      swap();
      return swap;
    },
  };
  for (const [name, change] of Object.entries(changes)) assert.ok(isSeen(watched, change), name);
  assert.not.ok(isSeen(watched, text(at("unused/file"), "y")), "a file that was not read");
});

test("watched() looks into the file of patterns that git's settings name, and gives up where they include others", async () => {
  const { folder, git } = checkout();
  git("config", "core.excludesFile", `${folder}-ignored`);
  writeFileSync(`${folder}-ignored`, "*.o\n");
  const watched = await watch(folder, folder);
  assert.ok(watched);
  assert.ok(isSeen(watched, text(`${folder}-ignored`, "tree\n")));
  rmSync(`${folder}-ignored`);
  for (const spelling of ["~nobody/ignored", "%(prefix)/ignored"]) {
    git("config", "core.excludesFile", spelling);
    assert.is(await watch(folder, folder), undefined, spelling);
  }
  git("config", "--unset", "core.excludesFile");
  git("config", "include.path", "/nowhere");
  assert.is(await watch(folder, folder), undefined);
});

test("watched() sees a checkout appear around a folder that is none", async () => {
  const outer = makeFolder({});
  const folder = `${outer}/flake`;
  new TestRepository(folder).write(FILES);
  rmSync(`${folder}/.git`, { recursive: true });
  // Outside of a checkout it counts as any folder does.
  mkdirSync(`${folder}/tree/deep/.git`);
  writeFileSync(`${folder}/tree/deep/.git/HEAD`, "one");
  const watched = await watch(folder, folder);
  assert.ok(watched);
  assert.ok(isSeen(watched, text(`${folder}/tree/deep/.git/HEAD`, "two")));
  const init = (): (() => void) => {
    mkdirSync(`${outer}/.git`);
    return () => rmSync(`${outer}/.git`, { recursive: true });
  };
  assert.ok(isSeen(watched, init));
});

test("watched() gives up where a link on the way may lead elsewhere", async () => {
  const { folder } = checkout();
  symlinkSync(folder, `${folder}-link`);
  assert.is(await watch(folder, `${folder}-link`), undefined);
  rmSync(`${folder}-link`);
});

function checkout(): { readonly folder: string; readonly git: (...args: string[]) => string } {
  const repository = new TestRepository(`${makeFolder({})}/flake`).write(FILES);
  repository.commit();
  return { folder: repository.folder, git: (...args) => repository.git(...args) };
}

test.run();
