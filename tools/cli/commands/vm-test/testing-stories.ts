import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endlessKernel } from "../../../../vm-tests/driver/testing-kernel.ts";
import { copyShell } from "../../testing-flake.ts";

/** The body of each story's script, by the name of its test. */
export type StoryBodies = Readonly<Record<string, string>>;

/**
 * Write a flake of machine tests that need no package: their one machine has a kernel that says a word and runs for ever, and most of them
 * never start it. It is a repository of git with one commit.
 *
 * @param tags Tags by the names of tests.
 */
export function writeStories(folder: string, bodies: StoryBodies, tags: Readonly<Record<string, string[]>> = {}): void {
  mkdirSync(folder, { recursive: true });
  copyShell(join(folder, "shell"));
  writeFileSync(join(folder, "kernel"), endlessKernel("a kernel that runs for ever\r\n"));
  writeFileSync(join(folder, "disk"), Buffer.alloc(1 << 16));
  writeFileSync(join(folder, "wanted.ts"), "export const wanted = 2;\n");
  for (const [name, body] of Object.entries(bodies)) writeStory(folder, name, body);
  writeFileSync(
    join(folder, "flake.config.ts"),
    `import { callerLocation } from "#floe/base";
import { derivation, local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

const shell = local("./shell");
const [kernel, disk] = [local("./kernel"), local("./disk")];
// What a test is made of besides sources has to be built.
const node = derivation({
  name: "node",
  system: "x86_64-linux",
  builder: \`\${shell}/loader\`,
  args: ["--library-path", \`\${shell}\`, \`\${shell}/sh\`, "-c", "echo > $out"],
});
const here = (): string => (callerLocation(here)?.file ?? "").replace("flake.config.ts", "");
const folder = here();
const system = { toplevel: "/nix/store/none", kernel: \`\${kernel}\`, initrd: \`\${disk}\`, kernelParameters: "" };
const machine = {
  architecture: "x86_64",
  memoryMiB: 64,
  cpus: 1,
  storeImage: \`\${disk}\`,
  rootImage: \`\${disk}\`,
  generations: { base: system },
};
const make = (name: string, tags: readonly string[]) => ({
  type: "vmTest" as const,
  name,
  description: \`It is \${name}.\`,
  story: \`\${folder}\${name}.ts\`,
  boot: "cold",
  platforms: ["x86_64-linux"],
  tags,
  machines: { machine },
  programs: { node: \`\${node}\`, path: [] },
});
const tags: Readonly<Record<string, readonly string[]>> = ${JSON.stringify(tags)};
export default defineFlake({
  outputs: () => ({
    vmTests: Object.fromEntries(${JSON.stringify(Object.keys(bodies))}.map((name) => [name, make(name, tags[name] ?? [])])),
  }),
});
`,
  );
  const git = (...words: string[]): unknown =>
    execFileSync("git", ["-c", "user.name=n", "-c", "user.email=e@example.org", ...words], { cwd: folder });
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("commit", "--quiet", "--message", "first");
}

/** Write the file of a story; its body begins on line 8. */
export function writeStory(folder: string, name: string, body: string): void {
  writeFileSync(
    join(folder, `${name}.ts`),
    `import { vmTest } from "#floe/vm-test";
import { wanted } from "./wanted.ts";
export default vmTest({
  name: "${name}",
  description: "",
  machines: { machine: { config: {} } },
  async script({ machine, step, assert, note, breakpoint }) {
    ${body}
    void [machine, step, assert, note, breakpoint, wanted];
  },
});
`,
  );
}
