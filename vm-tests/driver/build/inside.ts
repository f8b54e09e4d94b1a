/**
 * The builder of a machine test: runs its story, and makes its output when the story went well.
 *
 * It is called with the story's file. What happens is on its standard output, as entries of `wire.ts`; the output says the same each time,
 * so that a test is as reproducible as what it tests.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VmTestManifest } from "../../manifest.ts";
import { useOwnModules } from "../own-modules.ts";
import type { TemplateHolder } from "../template-store.ts";
import { tell, tellFolder } from "./tell.ts";

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

/** What a story copied out of its machines, and their screens. */
function tellFiles(): void {
  for (const machine of Object.keys(manifest.machines)) tellFolder(folder, join(machine, "files"));
}

/** One for all machines that have it. */
const built = new Map(Object.values(templates ?? {}).map((path) => [path, new BuiltTemplate(path)]));
const storeOf = (machine: string): TemplateHolder => built.get(templates[machine] ?? "") ?? new BuiltTemplate("");

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
  templates: { storeOf, method: "shared-memory" },
  // Whoever runs the build keeps it or not, and one that is kept shall not be another build.
  trace: true,
  onEntry: (file, entry) => tell({ file, entry }),
  log: () => {},
});
// Who looks for what went wrong may need anything: what went over the networks, the command lines of QEMU.
if (result.ok) tellFiles();
else tellFolder(folder);
if (result.ok) writeFileSync(outputs.out, `passed ${manifest.name}\n`);
process.exitCode = result.ok ? 0 : 1;
