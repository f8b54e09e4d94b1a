import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Write a flake that builds with nothing but the shell of this machine: its program, loader and C library are a source
 * of the flake, so the sandbox has all it needs and nothing is fetched.
 *
 * @param packages Members of `packages.x86_64-linux`, as TypeScript; `shell(name, script)` makes a derivation.
 * @param more Further members of the flake, as TypeScript.
 * @param before Definitions that these use, as TypeScript.
 */
export function writeFlake(directory: string, packages: string, more = "", before = ""): void {
  copyShell(join(directory, "shell"));
  writeFileSync(
    join(directory, "flake.config.ts"),
    `import { derivation, local, outputOf, readOutput } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

const tools = local("./shell");
const shell = (name: string, script: string, options: object = {}) =>
  derivation({
    name,
    system: "x86_64-linux",
    builder: \`\${tools}/loader\`,
    args: ["--library-path", \`\${tools}\`, \`\${tools}/sh\`, "-c", script],
    ...options,
  });
const fetch = (name: string, url: string, hash: string) =>
  derivation({
    name,
    system: "builtin",
    builder: "builtin:fetchurl",
    env: { url, urls: [url], executable: false, unpack: false },
    fixed: { method: "flat", hash },
  });
${before}
export default defineFlake({
  ${more}
  outputs: ({ inputs }) => ({ packages: { "x86_64-linux": { ${packages} } } }),
});
`,
  );
}

/** Copy the shell of this machine, and what it needs, into a folder. */
export function copyShell(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, path] of Object.entries(shellFiles())) copyFileSync(path, join(folder, name));
}

/** The shell of this machine with its loader and libraries, by the name each gets. */
function shellFiles(): Record<string, string> {
  const listed = execFileSync("ldd", ["/bin/sh"], { encoding: "utf8" });
  const files: Record<string, string> = { sh: "/bin/sh" };
  for (const [, path = ""] of listed.matchAll(/(\/\S+) \(0x/g)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    files[name.startsWith("ld-linux") ? "loader" : name] = path;
  }
  return files;
}
