import { CodedError, formatHash, raise, sortedText } from "../../base/index.ts";
import { checkOutputPaths, type Derivation, type InputHashes } from "../../derivation/index.ts";
import { checkRegistrable, closureOf, isDerivationPath, type PathInfo, type StorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";
import type { StoreQueryTable } from "./queries.ts";

const INSERT =
  "insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca) values (?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE = "update ValidPaths set narSize = ?, hash = ?, ultimate = ?, sigs = ?, ca = ? where path = ?";
const INSERT_REFERENCE = "insert or replace into Refs (referrer, reference) values (?, ?)";
const INSERT_OUTPUT = "insert or replace into DerivationOutputs (drv, id, path) values (?, ?, ?)";

export interface RegistrationContext {
  readonly database: StoreDatabase;
  readonly queries: StoreQueryTable;
  /** Reads a `.drv` file whether or not it is valid yet. */
  readonly readDerivation: (path: StorePath) => Derivation;
  readonly inputs: InputHashes;
  /** Called inside the transaction when all was checked; only what it gives is registered, none of which is valid. Default all. */
  readonly choose?: (() => ReadonlySet<StorePath>) | undefined;
}

/**
 * Make a set of objects valid, all in one transaction. Their files must be complete and on disk.
 *
 * @throws {CodedError} `store.reference-not-valid`, `store.content-address-mismatch`, `store.reference-cycle`,
 *   `derivation.inconsistent` for a `.drv` file that states other output paths than it must have
 */
export function register(
  { database, queries, readDerivation, inputs, choose }: RegistrationContext,
  infos: readonly PathInfo[],
): void {
  const set = new Map(infos.map((info) => [info.path, info]));
  const now = Math.floor(Date.now() / 1000);
  closureOf(set.keys(), (path) => (set.get(path)?.references ?? []).filter((reference) => set.has(reference)));
  const derivations = new Map([...set.keys()].filter(isDerivationPath).map((path) => [path, readDerivation(path)]));
  for (const [path, derivation] of derivations) checkReferences(path, derivation, set.get(path) as PathInfo);
  database.transaction(() => {
    for (const info of set.values())
      checkRegistrable(info, (path) => set.has(path) || queries.idOf(path) !== undefined);
    for (const derivation of derivations.values()) raise(checkOutputPaths(derivation, { inputs }));
    const chosen = choose?.();
    for (const path of chosen === undefined ? [] : [...set.keys()].filter((each) => !chosen.has(each))) {
      set.delete(path);
      derivations.delete(path);
    }
    const ids = new Map<StorePath, number>();
    const fresh = new Set<StorePath>();
    for (const info of set.values()) {
      const known = chosen === undefined ? queries.idOf(info.path) : undefined;
      ids.set(info.path, known ?? insert(database, info, now));
      if (known === undefined) fresh.add(info.path);
      else update(database, info);
    }
    for (const { path, references } of set.values()) {
      for (const reference of references) {
        database
          .prepare(INSERT_REFERENCE)
          .run(ids.get(path) as number, ids.get(reference) ?? (queries.idOf(reference) as number));
      }
    }
    for (const info of set.values()) {
      const recorded = fresh.has(info.path) ? asInserted(info, now) : queries.pathInfo(info.path);
      database.record({ kind: "valid", info: recorded as PathInfo });
    }
    for (const [path, derivation] of derivations) {
      for (const [output, { path: outputPath }] of Object.entries(derivation.outputs)) {
        if (outputPath !== "") database.prepare(INSERT_OUTPUT).run(ids.get(path) as number, output, outputPath);
      }
    }
  });
}

/** What {@link insert} makes of it. */
function asInserted(info: PathInfo, now: number): PathInfo {
  return {
    ...info,
    registrationTime: info.registrationTime ?? now,
    signatures: sortedText(info.signatures),
  };
}

function insert(database: StoreDatabase, info: PathInfo, now: number): number {
  const { lastInsertRowid } = database
    .prepare(INSERT)
    .run(
      info.path,
      formatHash(info.narHash, "typed-base16"),
      info.registrationTime ?? now,
      info.deriver ?? null,
      info.narSize,
      ultimateOf(info),
      signaturesOf(info),
      info.ca ?? null,
    );
  return Number(lastInsertRowid);
}

/** Keeps deriver and registration time, as Nix does. */
function update(database: StoreDatabase, info: PathInfo): void {
  const hash = formatHash(info.narHash, "typed-base16");
  database.prepare(UPDATE).run(info.narSize, hash, ultimateOf(info), signaturesOf(info), info.ca ?? null, info.path);
}

function ultimateOf(info: PathInfo): number | null {
  return info.ultimate === true ? 1 : null;
}

function signaturesOf({ signatures }: PathInfo): string | null {
  return signatures.length === 0 ? null : sortedText(signatures).join(" ");
}

/** The recorded references of a `.drv` file must be its inputs, or a collection could delete what it needs. */
function checkReferences(path: StorePath, derivation: Derivation, info: PathInfo): void {
  const recorded = new Set(info.references);
  for (const input of [...derivation.inputSources, ...derivation.inputDerivations.keys()]) {
    if (recorded.has(input)) continue;
    throw new CodedError(
      "derivation.inconsistent",
      `Cannot register "${path}": it needs "${input}", which is not among its references`,
    );
  }
}
