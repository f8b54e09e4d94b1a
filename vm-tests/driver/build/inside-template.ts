/**
 * The builder of a template: boots a machine, freezes it into its output, and lets a copy of it answer.
 *
 * A machine that does not boot is no failure here. The output says why there is nothing to copy, and the tests that boot it instead tell
 * what is wrong, each at its own line. A fault of the host is one, since an output would keep it for good: what happened is on standard output, as
 * entries of `wire.ts`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineManifest, ProgramsManifest } from "../../manifest.ts";
import { isReasonNotToCopy } from "../failure-kind.ts";
import { useOwnModules } from "../own-modules.ts";
import { tell, tellFolder } from "./tell.ts";

interface Attributes {
  readonly machine: string;
  readonly manifest: MachineManifest;
  readonly programs: ProgramsManifest;
  readonly outputs: { readonly out: string };
}

useOwnModules();
const { runVmTest } = await import("../run.ts");
const { BuiltTemplate, buildTemplate, FACTS_FILE } = await import("../built-template.ts");

const attributes = JSON.parse(readFileSync(process.env["NIX_ATTRS_JSON_FILE"] ?? "", "utf8")) as Attributes;
const { machine, manifest, programs, outputs } = attributes;
process.env["PATH"] = programs.path.join(":");
const folder = join(process.cwd(), "run");
mkdirSync(folder);
mkdirSync(outputs.out);
const keepFacts = (facts: object): void => writeFileSync(join(outputs.out, FACTS_FILE), JSON.stringify(facts));
const result = await runVmTest({
  manifest: {
    type: "vmTest",
    name: `template of ${machine}`,
    description: "",
    story: "",
    platforms: [],
    tags: [],
    machines: { [machine]: manifest },
    programs,
  },
  storyFile: "",
  script: async (tools) => tools[machine]?.start(),
  realPath: (path) => path,
  folder,
  templates: {
    storeOf: () => ({
      async hold(_key, make) {
        const frozen = join(process.cwd(), "frozen");
        mkdirSync(frozen);
        const facts = await make(frozen);
        keepFacts(facts);
        if (facts.refused === undefined) buildTemplate(frozen, outputs.out);
        return new BuiltTemplate(outputs.out).hold();
      },
    }),
    method: "shared-memory",
  },
  onEntry: (file, entry) => tell({ file, entry }),
  log: () => {},
});
if (result.error !== undefined) {
  const { code, message: refused } = result.error;
  if (isReasonNotToCopy(code)) keepFacts({ machine, architecture: manifest.architecture, accelerator: "", refused });
  else {
    tellFolder(folder);
    process.exitCode = 1;
  }
}
