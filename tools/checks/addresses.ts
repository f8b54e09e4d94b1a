import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { type Check, type Finding, lineAt, readSource, ROOT, sourceFiles } from "./source-tree.ts";

/**
 * No registry's or mirror's host name stands in the tree, nor this machine's own path: where packages come from is a
 * setting (`mirror://debian/…`, `mirror://npm/…`), so that the tree works behind any mirror.
 */
export const addressesCheck: Check = {
  name: "addresses",
  run() {
    const hosts = [...new Set(configuredHosts())];
    return sourceFiles().flatMap((file) => checkAddresses(file, readSource(file), hosts, ROOT));
  },
};

export function checkAddresses(file: string, text: string, hosts: readonly string[], root: string): Finding[] {
  const findings: Finding[] = [];
  for (const host of hosts) {
    const at = text.indexOf(host);
    if (at === -1) continue;
    findings.push({
      file,
      line: lineAt(text, at),
      message: `the host name of a registry or mirror, "${host}", stands in the tree`,
      hint: "Write mirror://debian/… or mirror://npm/…; settings say where that is.",
    });
  }
  // A short root such as "/src" would be found in harmless text.
  const at = root.split("/").length > 2 ? text.search(new RegExp(`${escape(root)}(?![\\w-])`)) : -1;
  if (at !== -1) {
    findings.push({
      file,
      line: lineAt(text, at),
      message: `the path of this checkout, "${root}", stands in the tree`,
      hint: "Compute it from import.meta.dirname, or take it as an argument.",
    });
  }
  return findings;
}

/** Hosts that npm and apt are configured with on this machine. */
function configuredHosts(): string[] {
  return [npmRegistry(), ...aptSources()].flatMap((text) =>
    [...text.matchAll(/https?:\/\/(?:[^/\s@]*@)?([^/\s:]+\.[^/\s:]+)/g)].map((match) => match[1] ?? ""),
  );
}

function npmRegistry(): string {
  try {
    return execFileSync("npm", ["config", "get", "registry"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}

function aptSources(): string[] {
  const directory = "/etc/apt/sources.list.d";
  return ["/etc/apt/sources.list", ...list(directory).map((name) => `${directory}/${name}`)].map((file) => {
    try {
      return readFileSync(file, "utf8").replace(/^\s*#.*$/gm, "");
    } catch {
      return "";
    }
  });
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
