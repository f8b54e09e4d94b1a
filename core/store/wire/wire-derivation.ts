import { compareText } from "../../base/index.ts";
import type { StorePath } from "../store-path.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/**
 * A derivation as it is sent to be built: its inputs are store objects, so it needs no other derivation. The name is not part
 * of it; fields are those of `Derivation` in core/derivation.
 */
export interface BasicDerivation {
  readonly outputs: Readonly<
    Record<string, { readonly path: string; readonly hashAlgorithm: string; readonly hash: string }>
  >;
  readonly inputSources: readonly StorePath[];
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export function writeBasicDerivation(writer: WireWriter, derivation: BasicDerivation): void {
  const outputs = sortedEntries(derivation.outputs);
  writer.number(outputs.length);
  for (const [name, { path, hashAlgorithm, hash }] of outputs)
    writer.text(name).text(path).text(hashAlgorithm).text(hash);
  writer.set(derivation.inputSources).text(derivation.system).text(derivation.builder).texts(derivation.args);
  writeTextMap(writer, derivation.env);
}

export async function readBasicDerivation(reader: WireReader): Promise<BasicDerivation> {
  const outputs = await reader.list(
    async () =>
      [
        await reader.text(),
        { path: await reader.text(), hashAlgorithm: await reader.text(), hash: await reader.text() },
      ] as const,
  );
  return {
    // Own properties whatever their name: `fromEntries` defines, it does not assign.
    outputs: Object.fromEntries(outputs),
    inputSources: await reader.paths(),
    system: await reader.text(),
    builder: await reader.text(),
    args: await reader.texts(),
    env: await readTextMap(reader),
  };
}

/** A map of texts: count, then key and value, keys in byte order. */
export function writeTextMap(writer: WireWriter, map: Readonly<Record<string, string>>): void {
  const entries = sortedEntries(map);
  writer.number(entries.length);
  for (const [key, value] of entries) writer.text(key).text(value);
}

/** The inverse of {@link writeTextMap}; keys in any order, the last of equal ones counts. */
export async function readTextMap(reader: WireReader): Promise<Record<string, string>> {
  return Object.fromEntries(await reader.list(async () => [await reader.text(), await reader.text()] as const));
}

function sortedEntries<T>(map: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(map).sort(([a], [b]) => compareText(a, b));
}
