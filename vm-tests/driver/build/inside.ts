/**
 * The builder of a machine test: runs its story, and makes its output when the story went well.
 *
 * It is called with the story's file. What happens is on its standard output, as entries of `wire.ts`; the output says the same each time,
 * so that a test is as reproducible as what it tests.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { VmTestManifest } from "../../manifest.ts";
import { useOwnModules } from "../own-modules.ts";
import { formatWireEntry, type WireEntry } from "./wire.ts";

/** Larger files stay in the build. */
const MOST_BYTES = 16 * 1024 * 1024;

interface Attributes {
  readonly manifest: VmTestManifest;
  readonly outputs: { readonly out: string };
  /** Folder of each machine's template. */
  readonly templates: Readonly<Record<string, string>>;
}

useOwnModules();
const { loadStory } = await import("../load-story.ts");
const { runVmTest } = await import("../run.ts");
const { BuiltTemplate } = await import("../built-template.ts");

const attributes = JSON.parse(readFileSync(process.env["NIX_ATTRS_JSON_FILE"] ?? "", "utf8")) as Attributes;
const { manifest, outputs, templates } = attributes;
const folder = join(process.cwd(), "run");

function tell(entry: WireEntry): void {
  process.stdout.write(formatWireEntry(entry));
}

/** What a story copied out of its machines, and their screens. */
function tellFiles(): void {
  for (const machine of Object.keys(manifest.machines)) tellFolder(join(machine, "files"));
}

/** All files below a folder; folders are made again from the names in them, and a link is not followed to who knows where. */
function tellFolder(place: string): void {
  if (!existsSync(join(folder, place))) return;
  for (const name of readdirSync(join(folder, place), { recursive: true, encoding: "utf8" })) {
    const file = join(place, name);
    const info = lstatSync(join(folder, file));
    // Lines of JSON were told as they came.
    const isTold = extname(file) === ".ndjson" && !file.split("/").includes("files");
    if (info.isFile() && info.size <= MOST_BYTES && !isTold)
      tell({ file, base64: readFileSync(join(folder, file), "base64") });
  }
}

process.env["PATH"] = manifest.programs.path.join(":");
mkdirSync(folder);
const story = await loadStory({ ...manifest, story: process.argv[2] ?? "" }, "/");
const result = await runVmTest({
  manifest,
  storyFile: story.file,
  script: story.script,
  allowConsole: story.allowConsole,
  realPath: (path) => path,
  folder,
  templates: { storeOf: (machine) => new BuiltTemplate(templates[machine] ?? ""), method: "whole-state" },
  // Whoever runs the build keeps it or not, and one that is kept shall not be another build.
  trace: true,
  onEntry: (file, entry) => tell({ file, entry }),
  log: () => {},
});
// Who looks for what went wrong may need anything: what went over the networks, the command lines of QEMU.
if (result.ok) tellFiles();
else tellFolder(".");
if (result.ok) writeFileSync(outputs.out, `passed ${manifest.name}\n`);
process.exitCode = result.ok ? 0 : 1;
