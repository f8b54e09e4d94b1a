import { parseHash } from "../../core/base/index.ts";
import { BUILDER_PROCESS, buildEnvironment, type GraphSource } from "../../core/build/index.ts";
import {
  type Derivation,
  derivationNameOf,
  derivationPath,
  outputKind,
  parseDerivation,
} from "../../core/derivation/index.ts";
import { closureOf, outputPathName, type PathInfo, type StorePath, storePathName } from "../../core/store/index.ts";
import { type Suite, textOf, type VectorBytes } from "./suite.ts";

interface EnvironmentCase {
  readonly name: string;
  readonly drvPath: StorePath;
  readonly drv: VectorBytes;
  readonly environment: Readonly<Record<string, VectorBytes>>;
  readonly environmentOrder?: readonly string[];
  readonly workingDirectory: string;
  readonly uid: string;
  readonly gid: string;
  readonly umask: string;
  readonly files: Readonly<Record<string, VectorBytes>>;
  readonly pathInfos?: readonly {
    readonly path: StorePath;
    readonly narHash: string;
    readonly narSize: number;
    readonly references: readonly StorePath[];
    readonly ca?: string;
  }[];
}

interface Vectors {
  readonly settings: {
    readonly cores: number;
    readonly "sandbox-build-dir": string;
    readonly callerEnvironment: Readonly<Record<string, string>>;
  };
  readonly cases: readonly EnvironmentCase[];
}

export async function runBuildEnvironment({ settings, cases }: Vectors, suite: Suite): Promise<void> {
  for (const v of cases) {
    await suite.case(v.name, (compare) => {
      const drv = parseDerivation(textOf(v.drv), derivationNameOf(v.drvPath));
      compare("drvPath", derivationPath(drv), v.drvPath);
      const infos = (v.pathInfos ?? []).map(
        (info): PathInfo => ({
          ...info,
          narHash: parseHash(info.narHash),
          signatures: [],
        }),
      );
      const made = buildEnvironment({
        drv,
        inputClosure: infos.map((info) => info.path),
        graph: graphSource(infos, drv),
        cores: settings.cores,
        buildDirectory: settings["sandbox-build-dir"],
        callerEnvironment: settings.callerEnvironment,
      });
      const expected = new Map(Object.entries(v.environment).map(([name, value]) => [name, textOf(value)]));
      // Nix builds a fixed output in a place of its own choice; with us every output lies where it will stay.
      for (const [name, output] of Object.entries(drv.outputs))
        if (outputKind(output) === "fixed" && expected.has(name)) expected.set(name, output.path);
      compare("environment", new Map(made.environment), new Map([...expected].sort()));
      if (v.environmentOrder !== undefined)
        compare(
          "order",
          made.environment.map(([name]) => name),
          v.environmentOrder,
        );
      const files = Object.fromEntries(Object.entries(v.files).map(([name, value]) => [name, textOf(value)]));
      compare("files", made.files, files);
      const { uid, gid, umask, workingDirectory } = BUILDER_PROCESS;
      compare(
        "process",
        { uid: String(uid), gid: String(gid), umask: umask.toString(8).padStart(4, "0"), workingDirectory },
        { uid: v.uid, gid: v.gid, umask: v.umask, workingDirectory: v.workingDirectory },
      );
    });
  }
}

/** What the vectors know of the store. Derivations in it are known by their outputs alone. */
function graphSource(infos: readonly PathInfo[], dependent: Derivation): GraphSource {
  const byPath = new Map(infos.map((info) => [info.path, info]));
  return {
    infoOf: (path) => byPath.get(path),
    closure: (paths) => closureOf(paths, (path) => byPath.get(path)?.references ?? []),
    readDerivation(drvPath) {
      const wanted = dependent.inputDerivations.get(drvPath) ?? ["out"];
      const outputs = wanted.map((output) => {
        const name = outputPathName(derivationNameOf(drvPath), output);
        const path = infos.find((info) => storePathName(info.path) === name)?.path ?? "";
        return [output, { path, hashAlgorithm: "", hash: "" }] as const;
      });
      return { ...dependent, name: derivationNameOf(drvPath), outputs: Object.fromEntries(outputs) };
    },
  };
}
