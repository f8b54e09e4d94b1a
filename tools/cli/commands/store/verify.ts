import { CodedError } from "../../../../core/base/index.ts";
import { showUrl } from "../../../../core/fetch/index.ts";
import type { RepairOutcome, Settled } from "../../../../core/host/maintenance/repair.ts";
import { type Findings, type StoreFault, verifyStore } from "../../../../core/host/maintenance/verify.ts";
import type { AnyStore } from "../../../../core/host/stores/index.ts";
import type { PublicKey, StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { isStoreAddress } from "../../flags.ts";
import { openStore } from "../../store.ts";
import type { VerifyFlags } from "./care.ts";
import { showProgress } from "./progress.ts";
import { getPathInfo, readPathText } from "./valid-path.ts";

/** Bits of the exit code. Source: Nix, `nix store verify`. */
const EXIT_BITS: Readonly<Record<StoreFault["kind"], number>> = {
  missing: 1,
  damaged: 1,
  incomplete: 1,
  link: 1,
  untrusted: 2,
  unreadable: 4,
};

/** Compare what is on disk with what the store recorded; every difference that is left is told, and one makes the command fail. */
export default async function verify(this: CliContext, flags: VerifyFlags, ...texts: string[]): Promise<void> {
  const findings = await find(this, flags, texts);
  const settled = needsWriting(findings) ? await trySettle(flags, findings) : undefined;
  const outcomes = flags.repair && findings.faults.length > 0 ? await repairAll(this, flags, findings.faults) : [];
  const left = flags.repair ? outcomes.filter(({ repaired }) => !repaired).map(unrepaired) : [...findings.faults];
  const exitCode = left.reduce((bits, { kind }) => bits | EXIT_BITS[kind], 0);
  if (flags.json) {
    this.printJson({ ...toJson(findings), ...(settled === undefined ? {} : { settled }), outcomes, left });
    return this.exitWith(exitCode);
  }
  for (const line of describe(findings, settled)) this.say(line);
  for (const { fault, repaired, words } of outcomes) if (repaired) this.say(`repaired ${fault.path}: ${words}`);
  if (left.length === 0) return this.say(`${findings.checked} store objects are as they were registered`);
  const hurt = new Set(left.filter(({ kind }) => kind !== "untrusted").map(({ path }) => path)).size;
  throw new CodedError(
    hurt > 0 ? "store.damaged" : "store.untrusted",
    hurt > 0
      ? `Cannot vouch for the store: ${hurt} of ${findings.checked} objects are damaged`
      : `Cannot trust the store: ${left.length} of ${findings.checked} objects have too few signatures`,
    {
      details: left.map(({ path, found }) => `${path}: ${found}`),
      exitCode,
      ...(flags.repair || isStoreAddress(flags.store ?? "")
        ? {}
        : { hint: "`floe store verify --repair` fetches or builds the damaged objects again." }),
    },
  );
}

async function find(context: CliContext, flags: VerifyFlags, texts: readonly string[]): Promise<Findings> {
  if (flags.store !== undefined && isStoreAddress(flags.store)) return findDistant(context, flags.store, flags, texts);
  using store = openStore(flags, { readOnly: true });
  const progress = showProgress(context, "objects hashed");
  const paths = texts.length === 0 || flags.all ? undefined : texts.map((text) => getPathInfo(store, text).path);
  const { sigsNeeded } = flags;
  const findings = await verifyStore(store, {
    paths: paths === undefined ? undefined : [...new Set<StorePath>(paths)],
    contents: flags.contents,
    ...(sigsNeeded === undefined ? {} : { signaturesNeeded: sigsNeeded, trustedKeys: await trustedKeys() }),
    signal: context.signal,
    onProgress: progress.show,
  });
  progress.clear();
  return findings;
}

/** A store that is no directory of this machine: nothing is listed, mended or put right in it. */
async function findDistant(
  context: CliContext,
  url: string,
  { all, repair, contents, sigsNeeded }: VerifyFlags,
  texts: readonly string[],
): Promise<Findings> {
  if (all || repair || texts.length === 0) {
    const found = repair ? "--repair" : all ? "--all" : "no store path";
    throw new CodedError(
      "cli.conflicting-flags",
      `Cannot verify "${showUrl(url)}": found ${found}, expected store paths`,
      {
        hint: "A store behind an address is not listed and not repaired; name the objects, as in `$(floe store query -R --store …)`.",
      },
    );
  }
  const { openStoreUrl } = await import("../../../../core/host/stores/index.ts");
  const { verifyDistant } = await import("../../../../core/host/maintenance/verify-distant.ts");
  using store = await openStoreUrl(url, { cwd: context.cwd, signal: context.signal });
  const progress = showProgress(context, "objects hashed");
  const findings = await verifyDistant(store, {
    paths: [...new Set(texts.map((text) => readPathText(store.storeDirectory, text)))],
    contents,
    ...(sigsNeeded === undefined ? {} : { signaturesNeeded: sigsNeeded, trustedKeys: await trustedKeys() }),
    signal: context.signal,
    onProgress: progress.show,
  });
  progress.clear();
  return findings;
}

async function trustedKeys(): Promise<readonly PublicKey[]> {
  return (await import("../../../../core/host/substitute/index.ts")).readSubstitutionSettings().trustedKeys;
}

function needsWriting({ gone, unhashed, metadata }: Findings): boolean {
  return gone.length + unhashed.length + metadata.length > 0;
}

/** Who may only look is told, and changes nothing. */
async function trySettle(flags: VerifyFlags, findings: Findings): Promise<Settled | undefined> {
  // Repairing needs all that builds; most stores are whole.
  const { settle } = await import("../../../../core/host/maintenance/repair.ts");
  try {
    using store = openStore(flags);
    return settle(store, findings);
  } catch (error) {
    if (error instanceof CodedError && error.code === "store.not-writable") return undefined;
    if (["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

async function repairAll(
  context: CliContext,
  flags: VerifyFlags,
  faults: readonly StoreFault[],
): Promise<RepairOutcome[]> {
  using store = openStore(flags);
  const sources: AnyStore[] = [];
  try {
    const { repair } = await import("../../../../core/host/maintenance/repair.ts");
    const { openStoreUrl } = await import("../../../../core/host/stores/index.ts");
    const { readSubstitutionSettings } = await import("../../../../core/host/substitute/index.ts");
    for (const url of [...(flags.from ?? []), ...readSubstitutionSettings().substituters])
      sources.push(await openStoreUrl(url, { cwd: context.cwd, signal: context.signal }));
    return await repair(store, faults, {
      sources,
      signal: context.signal,
      onStep: (words) => context.say(words),
    });
  } finally {
    for (const source of sources) source.close();
  }
}

function unrepaired({ fault, words }: RepairOutcome): StoreFault {
  return { ...fault, found: `${fault.found}; ${words}` };
}

function* describe({ gone, unhashed, metadata }: Findings, settled: Settled | undefined): Generator<string> {
  const done = settled === undefined ? "they are left so, since the store cannot be written" : "put right";
  if (gone.length > 0) yield `${gone.length} store objects are gone and nothing refers to them: ${done}`;
  for (const path of gone) yield `  ${path}`;
  if (unhashed.length > 0) yield `${unhashed.length} store objects had no hash or size: ${done}`;
  if (metadata.length > 0) yield `modes, owners or times of ${metadata.length} store objects were changed: ${done}`;
  for (const { examples, files } of metadata) {
    for (const example of examples) yield `  ${example}`;
    if (files > examples.length) yield `  and ${files - examples.length} more`;
  }
}

function toJson({ checked, faults, gone, metadata, unhashed }: Findings): Record<string, unknown> {
  return { checked, faults, gone, metadata, unhashed: unhashed.map(({ path }) => path) };
}
