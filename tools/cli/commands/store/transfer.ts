import { CodedError } from "../../../../core/base/index.ts";
import { outputId } from "../../../../core/build/index.ts";
import { isImpure } from "../../../../core/derivation/index.ts";
import { BinaryCacheStore } from "../../../../core/host/binary-cache/index.ts";
import type { BuildReport } from "../../../../core/host/builder/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { type AnyStore, copyPaths, copyRealisations } from "../../../../core/host/stores/index.ts";
import { forgetLookups } from "../../../../core/host/substitute/index.ts";
import { parseStorePath, type PublicKey, type Realisation, type StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { followTarget } from "../../follow-target.ts";
import { resolveInstallables } from "../../resolve.ts";
import { formatBytes } from "../../text.ts";
import { LiveBlock } from "../../ui/live-block.ts";
import type { TransferFlags } from "./exchange.ts";

export interface TransferOptions {
  readonly from: AnyStore;
  readonly to: AnyStore;
  readonly paths: readonly StorePath[];
  /** Outputs whose paths show only after a build, by the ids of their realisations. Default none. */
  readonly ids?: readonly string[] | undefined;
  readonly trusted: readonly PublicKey[] | "all";
  readonly flags: TransferFlags;
}

/** Copy, showing people how far it is. */
export async function transfer(context: CliContext, { flags, ...options }: TransferOptions): Promise<void> {
  const started = performance.now();
  let planned = { objects: 0, bytes: 0 };
  let done = 0;
  let movedBytes = 0;
  const line = (): string => {
    const rate = movedBytes / Math.max(0.5, (performance.now() - started) / 1000);
    return `copying ${done}/${planned.objects}, ${formatBytes(movedBytes)} of ${formatBytes(planned.bytes)}, ${formatBytes(rate)}/s`;
  };
  const block =
    context.terminal.interactive && !flags.quiet
      ? new LiveBlock({
          write: (text) => void context.process.stderr.write(text),
          columns: context.terminal.columns,
          lines: () => (planned.objects === 0 ? ["looking what is missing"] : [line()]),
        })
      : undefined;
  let copied: StorePath[];
  try {
    copied = await copyPaths({
      ...options,
      recursive: flags.recursive,
      signal: context.signal,
      planned: (objects, bytes) => {
        planned = { objects, bytes };
        block?.changed();
      },
      progress: (progress) => {
        done = progress.done;
        block?.changed();
      },
      moved: (bytes) => {
        movedBytes += bytes;
        block?.changed();
      },
    });
  } finally {
    block?.close();
  }
  const told = await copyRealisations(options);
  if (told.refused > 0 && !flags.quiet)
    context.say(
      `warning: what ${told.refused} outputs became was not told: nobody who is trusted vouches for it (--no-check-sigs)`,
    );
  if (options.to instanceof BinaryCacheStore && copied.length > 0) forgetLookups(options.to.address, copied);
  if (flags.json) return context.printJson({ copied, bytes: planned.bytes });
  if (!flags.quiet)
    context.say(
      copied.length === 0
        ? "everything is there already"
        : `${copied.length} store objects copied, ${formatBytes(planned.bytes)}`,
    );
}

export interface PathsOfOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: TransferFlags;
  /** Whether the objects are to be taken from this store, so that what is missing is built. */
  readonly build: boolean;
  /** What an output became whose path the store here does not know. Default nobody knows. */
  readonly findRealisation?: ((id: string) => Promise<Realisation | undefined>) | undefined;
}

/** What installables stand for. */
export interface Wanted {
  readonly paths: StorePath[];
  /** Outputs whose paths show only after a build, by the ids of their realisations. */
  readonly ids: string[];
}

/** The store objects that installables stand for: outputs of derivations, or with `--derivation` the `.drv` files. */
export async function pathsOf(texts: readonly string[], options: PathsOfOptions): Promise<Wanted> {
  const { context, store, flags, build } = options;
  const isDerivation = (text: string): boolean => flags.derivation && /^\/nix\/store\/[^/]*\.drv$/.test(text);
  const resolved = await resolveInstallables(
    texts.filter((text) => !isDerivation(text)),
    { context, store, flags, needValid: build },
  );
  const files = texts.filter(isDerivation).map((text) => parseStorePath(text));
  const targets = resolved.flatMap((each) => each.targets);
  const others = [...files, ...resolved.flatMap((each) => each.paths)];
  if (flags.derivation)
    return { paths: [...others, ...targets.map((target) => followTarget(target, store).drvPath)], ids: [] };
  let report: BuildReport | undefined;
  if (build && targets.length > 0) {
    const { realise } = await import("../../realise.ts");
    report = await realise(targets, {
      context,
      store,
      flags: { ...BUILD, quiet: flags.quiet, offline: flags.offline },
    });
  }
  const outputs: StorePath[] = [];
  const ids: string[] = [];
  for (const target of targets) {
    const { drvPath, outputs: names } = report?.followed.get(target) ?? followTarget(target, store);
    const derivation = store.readDerivation(drvPath);
    for (const name of names ?? Object.keys(derivation.outputs)) {
      const isStated = derivation.outputs[name]?.path !== "";
      const id = isStated || isImpure(derivation) ? undefined : store.realisationIds(derivation).get(name);
      const known = report?.impure.get(outputId({ drvPath, output: name })) ?? store.findOutput(derivation, name);
      const path = known ?? (id === undefined ? undefined : (await options.findRealisation?.(id))?.outPath);
      if (path === undefined) throw noPath(name, drvPath);
      outputs.push(path);
      if (id !== undefined) ids.push(id);
    }
  }
  return { paths: [...outputs, ...others], ids };
}

function noPath(name: string, drvPath: string): CodedError {
  return new CodedError(
    "copy.no-path",
    `Cannot copy the output "${name}" of "${drvPath}": where it is shows only after its build`,
    { hint: "Build it first, or name the store path that `floe build --print-out-paths` prints." },
  );
}

/** How what is missing is built: as `floe build` does when nothing else is said. */
const BUILD = {
  cores: 0,
  keepFailed: false,
  keepGoing: false,
  rebuild: false,
  relaxedSandbox: false,
  substitute: true,
  refresh: false,
  fallback: true,
  rounds: 1,
  logLines: 25,
  verbose: false,
} as const;
