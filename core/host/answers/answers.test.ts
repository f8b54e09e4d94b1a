import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../evaluator/testing.ts";
import { type Answer, Answers, presentOrNot, stampAll } from "./index.ts";

const LATER = Number.POSITIVE_INFINITY;

/** An answer made from a file, a link and a folder, and from nothing where `absent` is. */
function kept(): { readonly folder: string; readonly place: string; readonly find: () => Answer | undefined } {
  const folder = makeFolder({ "made/file": "one", "made/other": "x", "target/file": "t" });
  symlinkSync("../target", `${folder}/made/link`);
  const paths = ["made", "made/file", "made/link"].map((name) => `${folder}/${name}`);
  const absent = [`${folder}/absent`];
  const stamps = stampAll({ paths, absent }, LATER);
  if (stamps === undefined) throw new Error("There is something that ought not to be");
  const answers = new Answers(`${folder}/answers`);
  answers.keep("key", { text: "text\n", stamps, absent });
  return { folder, place: `${folder}/answers`, find: () => answers.find("key") };
}

test("Answers find() gives the answer while nothing it was made from changes", () => {
  const { folder, find } = kept();
  assert.is(find()?.text, "text\n");
  writeFileSync(`${folder}/made/other`, "a file that was not read");
  writeFileSync(`${folder}/target/file`, "nor this one");
  assert.is(find()?.text, "text\n");
  assert.is(new Answers(`${folder}/answers`).find("another key"), undefined);
});

const CHANGES: Readonly<Record<string, (folder: string) => void>> = {
  "other contents": (folder) => writeFileSync(`${folder}/made/file`, "other"),
  "equal size and time": (folder) => {
    const { atime, mtime } = statSync(`${folder}/made/file`);
    writeFileSync(`${folder}/made/file`, "two");
    utimesSync(`${folder}/made/file`, atime, mtime);
  },
  "a file in the place of another": (folder) => {
    writeFileSync(`${folder}/new`, "one");
    renameSync(`${folder}/new`, `${folder}/made/file`);
  },
  "a file in the place of a folder": (folder) => {
    rmSync(`${folder}/made`, { recursive: true });
    writeFileSync(`${folder}/made`, "");
  },
  "a file that is gone": (folder) => rmSync(`${folder}/made/file`),
  "an entry more": (folder) => writeFileSync(`${folder}/made/more`, ""),
  "an entry less": (folder) => rmSync(`${folder}/made/other`),
  "a link that leads elsewhere": (folder) => {
    rmSync(`${folder}/made/link`);
    symlinkSync("../answers", `${folder}/made/link`);
  },
  "another folder of that name": (folder) => {
    renameSync(`${folder}/made`, `${folder}/old`);
    renameSync(`${folder}/target`, `${folder}/made`);
  },
  "what was absent": (folder) => writeFileSync(`${folder}/absent`, ""),
};

for (const [change, make] of Object.entries(CHANGES)) {
  test(`Answers find() gives none after a change: ${change}`, () => {
    const { folder, find } = kept();
    make(folder);
    assert.is(find(), undefined);
  });
}

test("Answers find() takes a file with any byte changed, or cut short, for none", () => {
  const { place, find } = kept();
  const [name = ""] = readdirSync(place);
  const bytes = readFileSync(`${place}/${name}`);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
    writeFileSync(`${place}/${name}`, at % 2 === 0 ? damaged : bytes.subarray(0, at));
    assert.is(find(), undefined, `byte ${at} of ${bytes.length}`);
  }
  writeFileSync(`${place}/${name}`, bytes);
  assert.is(find()?.text, "text\n");
});

test("Answers keep() forgets the oldest beyond 64", () => {
  const folder = makeFolder({});
  const answers = new Answers(folder);
  for (let i = 0; i < 70; i++) answers.keep(`key ${i}`, { text: `${i}`, stamps: [], absent: [] });
  assert.is(readdirSync(folder).length, 64);
  assert.is(answers.find("key 69")?.text, "69");
});

test("Answers keep() does nothing where it cannot write", () => {
  const folder = makeFolder({ file: "" });
  new Answers(`${folder}/file`).keep("key", { text: "", stamps: [], absent: [] });
  assert.is(readFileSync(`${folder}/file`, "utf8"), "");
});

test("stampAll() gives none of what changed since, shortly before, or is not as it was said to be", () => {
  const folder = makeFolder({ file: "" });
  const [paths, absent] = [[`${folder}/file`], [`${folder}/absent`]];
  const { ctimeMs } = statSync(`${folder}/file`);
  assert.is(stampAll({ paths, absent }, ctimeMs), undefined, "at that moment");
  assert.is(stampAll({ paths, absent }, ctimeMs + 99), undefined, "within a tick");
  assert.ok(stampAll({ paths, absent }, ctimeMs + 101));
  assert.is(stampAll({ paths: absent, absent: [] }, LATER), undefined, "a file that is gone");
  assert.is(stampAll({ paths: [], absent: paths }, LATER), undefined, "a file that came");
});

test("presentOrNot() follows links to what they lead to", () => {
  const folder = makeFolder({ file: "" });
  symlinkSync("b", `${folder}/a`);
  symlinkSync("file", `${folder}/b`);
  symlinkSync("circle", `${folder}/circle`);
  symlinkSync("nothing", `${folder}/dangling`);
  const { paths, absent } = presentOrNot(["a", "circle", "dangling"].map((name) => `${folder}/${name}`));
  assert.equal(paths.map((path) => path.slice(folder.length + 1)).sort(), ["a", "b", "circle", "dangling", "file"]);
  assert.equal(absent, [`${folder}/nothing`]);
});

test.run();
