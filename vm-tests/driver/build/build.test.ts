import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openTemporaryStore } from "../../../core/host/local-store/testing.ts";
import type { VmTestManifest } from "../../manifest.ts";
import { HEADER_BYTES } from "../kernel-image.ts";
import type { TemplateFacts } from "../template-store.ts";
import { endlessKernel } from "../testing-kernel.ts";
import { ownQemus } from "../testing-qemus.ts";
import { HAS_QEMU } from "../../qemu-wrapper/testing.ts";
import { readSourceClosure } from "./source-closure.ts";
import { addTestDerivation } from "./test-derivation.ts";
import { formatWireEntry, type WireEntry, WireReader } from "./wire.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = mkdtempSync(join(tmpdir(), "floe-test-build-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

const manifest: VmTestManifest = {
  type: "vmTest",
  name: "first",
  description: "It shows the first thing.",
  story: "",
  platforms: ["x86_64-linux"],
  tags: [],
  machines: {},
  programs: { node: "/bin/node", path: ["/bin"] },
};

/** A flake's folder with files. */
function flakeWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(directory, "flake-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const STORY = `import { vmTest } from "#floe/vm-test";
import { wanted } from "./wanted.ts";
export default vmTest({ name: "first", description: "", machines: {}, async script({ step, assert }) {
  await step("it is as wanted", () => assert.equal(1 + 1, wanted));
} });
`;

function closureOf(folder: string, entry = "story.ts"): string[] {
  const roots = [{ directory: folder, name: "flake" }];
  const floe = { directory: join(import.meta.dirname, "../../.."), name: "floe" };
  return readSourceClosure({ entries: [join(folder, entry)], roots: [...roots, floe] }).map(({ place }) => place);
}

const code = (wanted: string) => (error: { code: string }) => error.code === wanted;

test("readSourceClosure() follows what is imported, now and later, and leaves types alone", () => {
  const folder = flakeWith({
    "story.ts": `import { a } from "./lib/a.ts"; import type { T } from "./types.ts"; import data from "./data.json" with { type: "json" };
import { vmTest } from "#floe/vm-test"; import { readFileSync } from "node:fs";
export const later = () => import("./later.mjs"); export const b: T = a;`,
    "lib/a.ts": `export * from "../later.mjs";`,
    "later.mjs": `import "./story.ts";`,
    "data.json": "{}",
    "types.ts": "export type T = string;",
    "unused.ts": "",
  });
  assert.equal(closureOf(folder), [
    "flake/data.json",
    "flake/later.mjs",
    "flake/lib/a.ts",
    "flake/story.ts",
    "floe/vm-tests/story.ts",
  ]);
});

test("readSourceClosure() refuses what a build cannot have", () => {
  assert.throws(() => closureOf(flakeWith({ "story.ts": `import "left-pad";` })), code("vm-test.import"));
  assert.throws(() => closureOf(flakeWith({ "story.ts": `import "./none.ts";` })), code("vm-test.import"));
  const outside = flakeWith({ "other.ts": "" });
  const folder = flakeWith({ "story.ts": `import "../${outside.split("/").at(-1)}/other.ts";` });
  assert.throws(() => closureOf(folder), code("vm-test.import"));
});

test("readSourceClosure() of the driver needs no libraries, so that a test is a build of few files", () => {
  const root = join(import.meta.dirname, "../../..");
  const files = readSourceClosure({
    entries: [join(import.meta.dirname, "inside.ts")],
    roots: [{ directory: root, name: "floe" }],
  });
  assert.ok(files.some(({ place }) => place === "floe/vm-tests/driver/store-power-cuts.ts"));
  assert.not.ok(files.some(({ place }) => place.startsWith("floe/pkgs/") || place.startsWith("floe/modules/")));
});

test("addTestDerivation() changes with the story's files, and with nothing else", async () => {
  const { store } = await openTemporaryStore();
  const drvOf = async (files: Readonly<Record<string, string>>, changes: Partial<VmTestManifest> = {}) => {
    const flakeFolder = flakeWith({ "story.ts": STORY, "wanted.ts": "export const wanted = 2;", ...files });
    const storyFile = join(flakeFolder, "story.ts");
    const options = { store, manifest: { ...manifest, ...changes }, targets: [], storyFile, flakeFolder };
    return (await addTestDerivation(options)).drvPath;
  };
  const first = await drvOf({});
  assert.match(first, /-vm-test-first\.drv$/);
  assert.is(await drvOf({ "unused.ts": "export {};" }, { description: "In other words.", story: "/elsewhere" }), first);
  assert.is.not(await drvOf({ "wanted.ts": "export const wanted = 3;" }), first);
  assert.is.not(await drvOf({}, { programs: { node: "/other/node", path: ["/bin"] } }), first);
  const derivation = store.readDerivation(first);
  assert.equal(JSON.parse(derivation.env["__json"] ?? "").requiredSystemFeatures, ["nixos-test"]);
});

test("addTestDerivation() knows places of its sources on this machine", async () => {
  const { store } = await openTemporaryStore();
  const flakeFolder = flakeWith({ "story.ts": STORY, "wanted.ts": "export const wanted = 2;" });
  const storyFile = join(flakeFolder, "story.ts");
  const made = await addTestDerivation({ store, manifest, targets: [], storyFile, flakeFolder });
  const [source] = store.readDerivation(made.drvPath).inputSources;
  assert.is(made.onHost(`${source}/flake/story.ts:3:5 and ${source}`), `${storyFile}:3:5 and ${source}`);
  assert.is(made.onHost(`${source}/floe/vm-tests/story.ts`), join(import.meta.dirname, "../../story.ts"));
});

/** What the builder does, from the sources that it has and in a folder of its own. */
async function inside(
  wanted: number,
): Promise<{ status: number | null; entries: WireEntry[]; rest: string[]; output?: string }> {
  const { store } = await openTemporaryStore();
  const flakeFolder = flakeWith({ "story.ts": STORY, "wanted.ts": `export const wanted: number = ${wanted};` });
  const storyFile = join(flakeFolder, "story.ts");
  const { drvPath } = await addTestDerivation({ store, manifest, targets: [], storyFile, flakeFolder });
  const folder = mkdtempSync(join(directory, "build-"));
  const out = join(folder, "out");
  writeFileSync(join(folder, "attrs.json"), JSON.stringify({ manifest, outputs: { out } }));
  const words = store
    .readDerivation(drvPath)
    .args.map((word) => (word.startsWith("/nix/store/") ? store.realPath(word) : word));
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: folder,
    encoding: "utf8",
    env: { NIX_ATTRS_JSON_FILE: join(folder, "attrs.json") },
  });
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  const reader = new WireReader();
  const entries = lines.map((line) => reader.read(line));
  return {
    status,
    entries: entries.filter((entry) => entry !== undefined && entry !== "more"),
    rest: lines.filter((_, index) => entries[index] === undefined),
    ...(status === 0 ? { output: readFileSync(out, "utf8") } : {}),
  };
}

test("the builder tells what happens, and leaves the same output each time", async () => {
  const { status, entries, rest, output } = await inside(2);
  assert.equal(rest, []);
  assert.is(status, 0);
  assert.is(output, "passed first\n");
  const kinds = entries.map(({ file, entry }) => `${file}: ${(entry as { kind: string }).kind}`);
  assert.equal(
    kinds,
    ["run", "step-begin", "step-end", "result"].map((kind) => `events.ndjson: ${kind}`),
  );
});

test("the builder of a story that fails has no output, and tells the failure with its place", async () => {
  const { status, entries } = await inside(3);
  assert.is(status, 1);
  const result = entries
    .map(({ entry }) => entry as { kind?: string; failure?: { code: string; at: { line: number } } })
    .find((entry) => entry?.kind === "result");
  assert.is(result?.failure?.at.line, 4);
  const error = entries.find(({ file }) => file === "error.txt");
  assert.match(Buffer.from(error?.base64 ?? "", "base64").toString(), "step: it is as wanted");
});

/** What the builder of a template does with a machine; `onLine` hears of each line of its console. */
async function insideTemplate(kernel: Uint8Array, onConsole: (builder: number) => void) {
  const folder = mkdtempSync(join(directory, "template-"));
  const place = (name: string, content: Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const disk = place("disk", Buffer.alloc(1 << 16));
  const base = { toplevel: "/", kernel: place("kernel", kernel), initrd: disk, kernelParameters: "" };
  const sizes = { architecture: "x86_64", memoryMiB: 64, cpus: 1 };
  const machine = { ...sizes, storeImage: disk, rootImage: disk, generations: { base } };
  const out = join(folder, "out");
  const programs = { node: process.execPath, path: (process.env["PATH"] ?? "").split(":") };
  const attributes = { machine: "web", manifest: machine, programs, outputs: { out } };
  const file = place("attrs.json", Buffer.from(JSON.stringify(attributes)));
  const builder = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "inside-template.ts")],
    { cwd: folder, stdio: ["ignore", "pipe", "inherit"], env: { NIX_ATTRS_JSON_FILE: file, TMPDIR: folder } },
  );
  const reader = new WireReader();
  let result: { readonly failure?: { readonly code: string } } | undefined;
  let told = false;
  let error = "";
  for await (const line of createInterface(builder.stdout)) {
    const wire = reader.read(line);
    if (wire === undefined || wire === "more") continue;
    if (wire.file === "error.txt") error = Buffer.from(wire.base64 ?? "", "base64").toString();
    const entry = (wire.entry ?? {}) as { readonly kind?: string; readonly from?: string };
    if (entry.from === "console" && !told) onConsole(builder.pid ?? 0);
    told ||= entry.from === "console";
    if (entry.kind === "result") result = entry as typeof result;
  }
  const facts = join(out, "template.json");
  return {
    status: builder.exitCode ?? (await once(builder, "exit"))[0],
    code: result?.failure?.code,
    error: error.split("\n")[0],
    facts: existsSync(facts) ? (JSON.parse(readFileSync(facts, "utf8")) as TemplateFacts) : undefined,
  };
}

withQemu(
  "the builder of a template fails when the host ends its boot, so that no output keeps that for good",
  async () => {
    const killed = await insideTemplate(endlessKernel("a word\r\n"), (builder) => {
      const [qemu = 0] = ownQemus(builder);
      process.kill(qemu, "SIGSEGV");
    });
    const error = 'Cannot boot the machine "web": QEMU ended by itself (SIGSEGV)';
    assert.equal(killed, { status: 1, code: "machine.qemu-died", error, facts: undefined });
  },
);

withQemu("the builder of a template keeps why a machine does not boot", async () => {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write("ARM\x64", 56, "latin1");
  const { status, code, facts } = await insideTemplate(header, () => {});
  assert.equal([status, code], [0, "machine.wrong-architecture"]);
  assert.match(facts?.refused ?? "", "its kernel is for aarch64");
});

/** All that a reader makes of a log. */
function readWire(text: string): (WireEntry | undefined)[] {
  const reader = new WireReader();
  const read = text
    .split("\n")
    .slice(0, -1)
    .map((line) => reader.read(line));
  return read.filter((each) => each !== "more");
}

test("WireReader reads what formatWireEntry() wrote, whatever is in it and however long it is", () => {
  const entries: WireEntry[] = [
    { file: "web/files/a b.png", base64: "AAAA" },
    { file: "events.ndjson", entry: { at: 1, line: "\u0085 \u{1f600} \r\n \ud800" } },
    { file: "big", base64: "x".repeat(200_000) },
    { file: "events.ndjson", entry: { stdout: "é".repeat(50_000) } },
  ];
  const text = entries.map(formatWireEntry).join("");
  assert.ok(text.split("\n").every((line) => line.length < 40_000 && /^[\x20-\x7e]*$/.test(line)));
  assert.equal(readWire(text), entries);
});

test("WireReader trusts no builder", () => {
  for (const file of ["../x", "/etc/x", "a/../../x", "a//x", "", "a/./x", "a\0"]) {
    assert.equal(readWire(formatWireEntry({ file, base64: "" })), [undefined], file);
  }
  for (const line of [
    "hello",
    "@floe-vm-test",
    "@floe-vm-test {",
    "@floe-vm-test null",
    '@floe-vm-test {"file":"a"}',
  ]) {
    assert.equal(readWire(`${line}\n`), [undefined], line);
  }
  const endless = `@floe-vm-test+ ${"x".repeat(1 << 20)}\n`.repeat(70);
  assert.equal(readWire(`${endless}@floe-vm-test {}\n${formatWireEntry({ file: "a", base64: "" })}`), [
    undefined,
    { file: "a", base64: "" },
  ]);
});

test.run();
