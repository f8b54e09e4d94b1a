import { CodedError, hashBytes, sortedText, toBase32 } from "../base/index.ts";
import { type Derivation, fixedOutputOf, placeholder } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";
import { sharesNetwork } from "./isolation.ts";
import { formatGraphText, graphObjects, graphPaths, type GraphSource } from "./reference-graph.ts";
import { attributesOf, structuredAttributes } from "./structured-attributes.ts";

export interface BuildEnvironmentOptions {
  readonly drv: Derivation;
  /** Every path the builder may see. */
  readonly inputClosure: Iterable<StorePath>;
  readonly graph: GraphSource;
  readonly cores: number;
  /** The build directory as the builder sees it. Default `/build`. */
  readonly buildDirectory?: string;
  /** The environment of the caller; read only for `impureEnvVars` of fixed and impure outputs. */
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>;
}

/** What a builder is started with. */
export interface BuildEnvironment {
  readonly builder: string;
  readonly args: readonly string[];
  /** Variables in byte order of their names; nothing else is inherited. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Files that lie in the build directory at the start, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * What a builder in the sandbox finds besides its environment.
 *
 * Source: Nix, `LocalDerivationGoal::startBuilder`; vectors in `build-environment.json`.
 */
export const BUILDER_PROCESS = { uid: 1000, gid: 100, umask: 0o022, workingDirectory: "/build" } as const;

/**
 * The exact environment of a builder. Later entries override earlier ones: defaults, the derivation's own variables,
 * the build directory, what fixed outputs get, the log.
 *
 * @throws {CodedError} `build.graph-malformed`, `build.graph-not-input`, `build.attributes-malformed`.
 *
 * Source: store formats, "Builder environment, structured attributes, graphs"; vectors in `build-environment.json`.
 */
export function buildEnvironment(options: BuildEnvironmentOptions): BuildEnvironment {
  const { drv, graph, cores, callerEnvironment } = options;
  const top = options.buildDirectory ?? BUILDER_PROCESS.workingDirectory;
  const inputs = new Set<string>(options.inputClosure);
  const rewrite = placeholderRewriter(drv);
  const files: Record<string, string> = {};
  const env = new Map<string, string>([
    ["PATH", "/path-not-set"],
    ["HOME", "/homeless-shelter"],
    ["NIX_STORE", "/nix/store"],
    ["NIX_BUILD_CORES", String(cores)],
  ]);

  const attributes = attributesOf(drv);
  if (attributes === undefined) {
    const asFile = new Set(words(drv.env["passAsFile"] ?? ""));
    for (const [name, value] of Object.entries(drv.env)) {
      if (!asFile.has(name)) {
        env.set(name, value);
        continue;
      }
      const file = `.attr-${toBase32(hashBytes("sha256", name).digest)}`;
      files[file] = rewrite(value);
      env.set(`${name}Path`, `${top}/${file}`);
    }
    for (const [file, path] of graphPairs(drv)) files[file] = formatGraphText(graphPaths([path], inputs, graph), graph);
  } else {
    const outputs = Object.fromEntries(Object.entries(drv.outputs).map(([name, output]) => [name, output.path]));
    const graphs: Record<string, object[]> = {};
    const asked = (attributes["exportReferencesGraph"] ?? {}) as Readonly<Record<string, StorePath | StorePath[]>>;
    for (const [key, paths] of Object.entries(asked))
      graphs[key] = graphObjects(graphPaths([paths].flat(), inputs, graph), graph);
    const made = structuredAttributes(rewrite(drv.env["__json"] ?? ""), outputs, graphs);
    files[".attrs.json"] = made.json;
    files[".attrs.sh"] = made.shell;
    env.set("NIX_ATTRS_JSON_FILE", `${top}/.attrs.json`);
    env.set("NIX_ATTRS_SH_FILE", `${top}/.attrs.sh`);
  }

  for (const name of ["NIX_BUILD_TOP", "TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD"]) env.set(name, top);
  if (fixedOutputOf(drv) !== undefined) env.set("NIX_OUTPUT_CHECKED", "1");
  if (sharesNetwork(drv)) for (const name of impureVariables(drv)) env.set(name, callerEnvironment[name] ?? "");
  env.set("NIX_LOG_FD", "2");
  env.set("TERM", "xterm-256color");

  const rewritten = new Map([...env].map(([name, value]) => [rewrite(name), rewrite(value)]));
  return {
    builder: rewrite(drv.builder),
    args: drv.args.map(rewrite),
    environment: sortedText(rewritten.keys()).map((name) => [name, rewritten.get(name) ?? ""] as const),
    files,
  };
}

function impureVariables(drv: Derivation): string[] {
  const attributes = attributesOf(drv);
  if (attributes === undefined) return words(drv.env["impureEnvVars"] ?? "");
  const stated = attributes["impureEnvVars"];
  return Array.isArray(stated) ? stated.filter((name) => typeof name === "string") : [];
}

function placeholderRewriter(drv: Derivation): (text: string) => string {
  const pairs = Object.entries(drv.outputs).map(([name, output]) => [placeholder(name), output.path] as const);
  return (text) => pairs.reduce((done, [from, to]) => done.replaceAll(from, to), text);
}

function words(text: string): string[] {
  return text.split(/[ \t\n\r]+/).filter((word) => word !== "");
}

const GRAPH_FILE = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

function graphPairs(drv: Derivation): (readonly [file: string, path: StorePath])[] {
  const list = words(drv.env["exportReferencesGraph"] ?? "");
  const pairs: (readonly [string, StorePath])[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const file = list[i] ?? "";
    const path = list[i + 1];
    if (path === undefined || !GRAPH_FILE.test(file)) {
      throw new CodedError(
        "build.graph-malformed",
        `Cannot read "exportReferencesGraph" of "${drv.name}": expected pairs of a file name and a store path, found "${file}"`,
      );
    }
    // A path inside a store object stands for the object.
    pairs.push([file, path.split("/").slice(0, 4).join("/") as StorePath]);
  }
  return pairs;
}
