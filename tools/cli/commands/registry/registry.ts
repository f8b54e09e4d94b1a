import { resolve as resolvePath } from "node:path";
import { CodedError, nearNames, sortedText } from "../../../../core/base/index.ts";
import {
  formatLocked,
  formatReference,
  parseReference,
  parseRegistryName,
  type Registry,
  resolveNamed,
  tryParseNamed,
  withoutCredentials,
} from "../../../../core/flake/index.ts";
import { changeRegistry, defaultRegistryPlaces, readRegistry } from "../../../../core/host/flake/registry.ts";
import type { CliContext } from "../../context.ts";
import type { JsonFlags, StoreFlags } from "../../flags.ts";

/** `floe registry list` */
export function list(this: CliContext, { json }: JsonFlags): void {
  const places = defaultRegistryPlaces();
  const registries = { user: readRegistry(places.user), system: readRegistry(places.system) };
  if (json) return this.printJson(registries);
  for (const [whose, registry] of Object.entries(registries))
    for (const name of sortedText(Object.keys(registry)))
      this.print(`${whose.padEnd(6)} ${name} ${withoutCredentials(registry[name] as string)}`);
}

/** `floe registry add NAME FLAKE` */
export async function add(this: CliContext, _flags: object, text: string, flake: string): Promise<void> {
  const name = parseRegistryName(text);
  const meaning = meaningOf(flake, this.cwd);
  await changeRegistry(defaultRegistryPlaces().user, (before) => ({ ...before, [name]: meaning }));
  this.say(`${name} stands for ${withoutCredentials(meaning)}`);
}

/** `floe registry remove NAME` */
export async function remove(this: CliContext, _flags: object, text: string): Promise<void> {
  const name = parseRegistryName(text);
  const { user, system } = defaultRegistryPlaces();
  await changeRegistry(user, ({ [name]: found, ...others }) => {
    if (found !== undefined) return others;
    const near = nearNames(name, Object.keys(others))[0];
    const isOfSystem = Object.hasOwn(readRegistry(system), name);
    throw new CodedError(
      "registry.unknown-name",
      `Cannot remove "${name}": the user's registry has no such name`,
      isOfSystem
        ? { hint: `It is in "${system}"; \`floe registry add ${name} FLAKE\` counts before that.` }
        : near === undefined
          ? {}
          : { hint: `Did you mean "${near}"?` },
    );
  });
  this.say(`${name} stands for nothing any more`);
}

/** `floe registry pin NAME [FLAKE]`: what the flake is now, with revision and hash. */
export async function pin(this: CliContext, flags: StoreFlags, text: string, flake: string | undefined): Promise<void> {
  const name = parseRegistryName(text);
  const { fetchFlake } = await import("../../../../core/host/flake/index.ts");
  const { defaultStoreRoot, openLocalStore } = await import("../../../../core/host/local-store/index.ts");
  using store = openLocalStore({ root: flags.store ?? defaultStoreRoot() });
  const onNotice = (said: string): void => this.say(said);
  const meaning = flake === undefined ? name : meaningOf(flake, this.cwd);
  const locked = await fetchFlake({ reference: meaning, cwd: this.cwd, store, signal: this.signal, onNotice });
  const pinned = formatLocked(locked);
  await changeRegistry(defaultRegistryPlaces().user, (before) => ({ ...before, [name]: pinned }));
  this.say(`${name} stands for ${withoutCredentials(pinned)}`);
}

/** `floe registry resolve NAME…` */
export function resolve(this: CliContext, { json }: JsonFlags, ...names: string[]): void {
  const { user, system } = defaultRegistryPlaces();
  const registries = [readRegistry(user), readRegistry(system)];
  const found: Record<string, string> = {};
  for (const text of names) {
    const named = tryParseNamed(text);
    found[text] = formatReference(named === undefined ? parseReference(text) : resolveNamed(named, registries));
  }
  if (json) return this.printJson(found satisfies Registry);
  for (const text of names) this.print(withoutCredentials(found[text] as string));
}

/** The text of an entry: folders count from where the command was given, names stay names. */
function meaningOf(text: string, cwd: string): string {
  if (/^[./~]/.test(text)) return `path:${resolvePath(cwd, text)}`;
  if (tryParseNamed(text) !== undefined) return text.startsWith("flake:") ? text : `flake:${text}`;
  const reference = parseReference(text);
  return formatReference(
    reference.kind === "path" ? { ...reference, path: resolvePath(cwd, reference.path) } : reference,
  );
}
