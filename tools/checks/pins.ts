import { missingOptional } from "../complete-lock.ts";
import { VERSION } from "../cli/version.ts";
import { type Check, type Finding, lineAt, readSource, sourceFiles } from "./source-tree.ts";

/** Every version is exact, the lock names no host, and the program reports the version of its package. */
export const pinsCheck: Check = {
  name: "pins",
  run() {
    const manifests = sourceFiles().filter((file) => /(^|\/)package\.json$/.test(file) && !file.includes("/testdata/"));
    return [
      ...manifests.flatMap((file) => checkManifest(file, readSource(file))),
      ...checkLock(readSource("package-lock.json")),
      ...checkVersion(),
    ];
  },
};

export function checkManifest(file: string, text: string): Finding[] {
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
  return ["dependencies", "devDependencies", "optionalDependencies"].flatMap((field) =>
    Object.entries(manifest[field] ?? {})
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        file,
        line: lineAt(text, text.indexOf(`"${name}"`)),
        message: `"${name}" has the version "${version}", which is not exact`,
        hint: "Write the version that package-lock.json has.",
      })),
  );
}

export function checkLock(text: string): Finding[] {
  const { packages = {} } = JSON.parse(text) as { packages?: Parameters<typeof missingOptional>[0] };
  const missing = Object.keys(missingOptional(packages)).map((path) => ({
    file: "package-lock.json",
    line: 1,
    message: `"${path}" is named as an optional package and has no entry`,
    hint: "`npm run lock` completes the lock; `npm ci` of newer versions refuses it otherwise.",
  }));
  return [...missing, ...checkAddresses(text)];
}

function checkAddresses(text: string): Finding[] {
  return [...text.matchAll(/"resolved": "[a-z+]+:\/\//g)].map((match) => ({
    file: "package-lock.json",
    line: lineAt(text, match.index),
    message: "an address stands in the lock",
    hint: "`npm run lock` leaves them out (see .npmrc).",
  }));
}

function checkVersion(): Finding[] {
  const { version } = JSON.parse(readSource("tools/cli/package.json")) as { version: string };
  if (version === VERSION) return [];
  return [
    {
      file: "tools/cli/version.ts",
      line: 2,
      message: `VERSION is "${VERSION}", and tools/cli/package.json says "${version}"`,
      hint: "Change both together.",
    },
  ];
}
