import { CodedError } from "../../../../core/base/index.ts";
import { BinaryCacheStore } from "../../../../core/host/binary-cache/index.ts";
import { LocalStore } from "../../../../core/host/local-store/index.ts";
import { type AnyStore, copyPaths } from "../../../../core/host/stores/index.ts";
import { forgetLookups } from "../../../../core/host/substitute/index.ts";
import { parseStorePath, type PublicKey, type StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { resolveInstallables } from "../../resolve.ts";
import { formatBytes } from "../../text.ts";
import { LiveBlock } from "../../ui/live-block.ts";
import type { TransferFlags } from "./exchange.ts";

export interface TransferOptions {
  readonly from: AnyStore;
  readonly to: AnyStore;
  readonly paths: readonly StorePath[];
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
  if (options.to instanceof BinaryCacheStore) await tellCache(options.to, options, copied);
  if (flags.json) return context.printJson({ copied, bytes: planned.bytes });
  if (!flags.quiet)
    context.say(
      copied.length === 0
        ? "everything is there already"
        : `${copied.length} store objects copied, ${formatBytes(planned.bytes)}`,
    );
}

/** A cache gets what is known about objects that are addressed by their content, and is asked anew about what it has got. */
async function tellCache(
  cache: BinaryCacheStore,
  { from, paths }: Pick<TransferOptions, "from" | "paths">,
  copied: readonly StorePath[],
): Promise<void> {
  if (from instanceof LocalStore && from.hasRealisations) {
    for (const path of from.closure(paths)) {
      if (!(await cache.isValid(path))) continue;
      for (const realisation of from.queryRealisationsOf(path)) await cache.addRealisation(realisation);
    }
  }
  if (copied.length > 0) forgetLookups(cache.address, copied);
}

export interface PathsOfOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: TransferFlags;
  /** Whether the objects are to be taken from this store, so that what is missing is built. */
  readonly build: boolean;
}

/** The store objects that installables stand for: outputs of derivations, or with `--derivation` the `.drv` files. */
export async function pathsOf(texts: readonly string[], options: PathsOfOptions): Promise<StorePath[]> {
  const { context, store, flags, build } = options;
  const isDerivation = (text: string): boolean => flags.derivation && /^\/nix\/store\/[^/]*\.drv$/.test(text);
  const resolved = await resolveInstallables(
    texts.filter((text) => !isDerivation(text)),
    { context, store, flags, needValid: build },
  );
  const files = texts.filter(isDerivation).map((text) => parseStorePath(text));
  const targets = resolved.flatMap((each) => each.targets);
  const others = [...files, ...resolved.flatMap((each) => each.paths)];
  if (flags.derivation) return [...others, ...targets.map(({ drvPath }) => parseStorePath(drvPath))];
  if (build && targets.length > 0) {
    const { realise } = await import("../../realise.ts");
    await realise(targets, { context, store, flags: { ...BUILD, quiet: flags.quiet, offline: flags.offline } });
  }
  const outputs = targets.flatMap(({ drvPath, outputs: names }) => {
    const derivation = store.readDerivation(drvPath);
    return (names ?? Object.keys(derivation.outputs)).map((name) => {
      const path = store.findOutput(derivation, name);
      if (path !== undefined) return path;
      throw new CodedError(
        "copy.no-path",
        `Cannot copy the output "${name}" of "${drvPath}": where it is shows only after its build`,
        { hint: "Build it first, or name the store path that `floe build --print-out-paths` prints." },
      );
    });
  });
  return [...outputs, ...others];
}

/** How what is missing is built: as `floe build` does when nothing else is said. */
const BUILD = {
  cores: 0,
  keepFailed: false,
  keepGoing: false,
  rebuild: false,
  sandbox: true,
  substitute: true,
  refresh: false,
  fallback: true,
  rounds: 1,
  logLines: 25,
  verbose: false,
} as const;
