import { compareVersions, parseNameAndVersion, splitVersion } from "../../core/derivation/index.ts";
import type { Suite } from "./suite.ts";

interface Vectors {
  readonly cases: readonly {
    readonly a: string;
    readonly b: string;
    readonly result: number;
    readonly reversed: number;
  }[];
  readonly parseDrvName: readonly { readonly input: string; readonly name: string; readonly version: string }[];
  readonly splitVersion: readonly { readonly input: string; readonly components: readonly string[] }[];
}

export async function runVersions(vectors: Vectors, suite: Suite): Promise<void> {
  for (const { a, b, result, reversed } of vectors.cases) {
    await suite.case(`compare ${JSON.stringify(a)} ${JSON.stringify(b)}`, (compare) => {
      compare("order", compareVersions(a, b), result);
      compare("order reversed", compareVersions(b, a), reversed);
    });
  }
  for (const { input, name, version } of vectors.parseDrvName ?? []) {
    await suite.case(`name and version of ${JSON.stringify(input)}`, (compare) =>
      compare("parts", parseNameAndVersion(input), { name, version }),
    );
  }
  for (const { input, components } of vectors.splitVersion ?? []) {
    await suite.case(`split ${JSON.stringify(input)}`, (compare) =>
      compare("components", splitVersion(input), components),
    );
  }
}
