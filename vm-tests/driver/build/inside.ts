/**
 * The builder of a machine test: runs its story, and makes its output when the story went well.
 *
 * It is called with the story's file. What happens is on its standard output, as entries of `wire.ts`; the output says the same each time,
 * so that a test is as reproducible as what it tests.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

const { ERROR_FILE } = await import("../run-folder.ts");

const attributes = JSON.parse(readFileSync(process.env["NIX_ATTRS_JSON_FILE"] ?? "", "utf8")) as Attributes;
const { manifest, outputs, templates } = attributes;
const folder = join(process.cwd(), "run");

function tell(entry: WireEntry): void {
  process.stdout.write(formatWireEntry(entry));
}

/** What a story copied out of its machines, and their screens. */
function tellFiles(): void {
  for (const machine of Object.keys(manifest.machines)) {
    const place = join(machine, "files");
    const names = readdirSync(folder).includes(machine) && readdirSync(join(folder, machine)).includes("files");
    for (const name of names ? readdirSync(join(folder, place), { recursive: true, encoding: "utf8" }) : []) {
      const file = join(place, name);
      const info = lstatSync(join(folder, file));
      // Folders are made again from the names in them; a link is not followed to who knows where.
      if (info.isFile() && info.size <= MOST_BYTES) tell({ file, base64: readFileSync(join(folder, file), "base64") });
    }
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
  onEntry: (file, entry) => tell({ file, entry }),
  log: () => {},
});
tellFiles();
if (!result.ok) tell({ file: ERROR_FILE, base64: readFileSync(join(folder, ERROR_FILE), "base64") });
if (result.ok) writeFileSync(outputs.out, `passed ${manifest.name}\n`);
process.exitCode = result.ok ? 0 : 1;
