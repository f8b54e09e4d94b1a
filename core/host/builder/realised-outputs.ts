import { type Derivation, isImpure, mustResolve, outputNames, resolveDerivation } from "../../derivation/index.ts";
import {
  dependentRealisations,
  type Realisation,
  type SecretKey,
  signRealisation,
  type StorePath,
} from "../../store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { OutputName } from "../../build/index.ts";
import type { LocalStore } from "../local-store/index.ts";

/** A derivation whose inputs turned out to be certain paths. */
export interface ResolvedJob {
  readonly drvPath: StorePath;
  readonly drv: Derivation;
}

/** What outputs became, in this run and before it: the paths that derivations do not state. */
export class RealisedOutputs {
  readonly #store: LocalStore;
  readonly #secretKeys: readonly SecretKey[];
  /** By derivation and output; not in the database yet, perhaps. */
  readonly #fresh = new Map<string, StorePath>();

  /** @param secretKeys What is recorded of builds is signed with these. */
  constructor(store: LocalStore, secretKeys: readonly SecretKey[] = []) {
    this.#store = store;
    this.#secretKeys = secretKeys;
  }

  /** What an output became in this run. */
  findFresh({ drvPath, output }: OutputName): StorePath | undefined {
    return this.#fresh.get(`${drvPath}!${output}`);
  }

  find(drvPath: StorePath, output: string): StorePath | undefined {
    return this.#fresh.get(`${drvPath}!${output}`) ?? this.#store.findOutput(this.#read(drvPath), output);
  }

  note(drvPath: StorePath, outputs: ReadonlyMap<string, StorePath>): void {
    for (const [output, path] of outputs) this.#fresh.set(`${drvPath}!${output}`, path);
  }

  /** Whether what is built instead of it follows from what its inputs become. */
  mustResolve(drv: Derivation): boolean {
    return mustResolve(drv, (input, output) => (this.#read(input).outputs[output]?.path ?? "") !== "");
  }

  /**
   * The derivation to build in place of one whose inputs had unknown paths; `undefined` when it can be built as it is.
   *
   * @throws {CodedError} `derivation.not-realised`
   */
  resolve(drv: Derivation): Derivation | undefined {
    if (!this.mustResolve(drv)) return undefined;
    return resolveDerivation(drv, { realised: (input, output) => this.find(input, output) });
  }

  /**
   * What is to be recorded of a build, dependencies first. Facts about a derivation that had to be resolved follow from those
   * about the resolved one, and are recorded with them only.
   *
   * @param outputs Where the outputs lie; they are valid when this is recorded.
   */
  realisations(
    asked: Derivation,
    resolved: Derivation | undefined,
    outputs: ReadonlyMap<string, StorePath>,
  ): Realisation[] {
    const list = resolved === undefined ? [] : this.#of(resolved, outputs, new Map());
    const inputs = this.#inputs(asked);
    return [...inputs.values(), ...list, ...this.#of(asked, outputs, inputs)];
  }

  /** Whether something is to be recorded about a build at all: plain derivations need it only where others do, impure ones never. */
  isRecorded(drv: Derivation): boolean {
    if (isImpure(drv)) return false;
    return this.#store.hasRealisations || outputNames(drv).some((name) => drv.outputs[name]?.path === "");
  }

  #of(
    drv: Derivation,
    outputs: ReadonlyMap<string, StorePath>,
    inputs: ReadonlyMap<string, Realisation>,
  ): Realisation[] {
    const ids = this.#store.realisationIds(drv);
    const found = [...outputs].map(([output, outPath]) => ({
      id: ids.get(output) as string,
      outPath,
      signatures: [],
      dependentRealisations: dependentRealisations(
        inputs.values(),
        this.#store.queryPathInfo(outPath)?.references ?? [],
        (id) => inputs.get(id) ?? this.#store.queryRealisation(id),
      ),
    }));
    return found.map((each) => ({
      ...each,
      signatures: this.#secretKeys.map((key) => signRealisation(each, key, ed25519)),
    }));
  }

  /** Realisations of the inputs a derivation asks for, by id: Nix wants to find one for each. */
  #inputs(drv: Derivation): Map<string, Realisation> {
    const found = new Map<string, Realisation>();
    const nested = (drv.nestedInputs ?? []).map(({ drvPath, through, outputs }) => {
      const inner = through.reduce<StorePath | undefined>((at, name) => at && this.find(at, name), drvPath);
      return [inner, outputs] as const;
    });
    for (const [input, names] of [...drv.inputDerivations, ...nested]) {
      if (input === undefined || isImpure(this.#read(input))) continue;
      const ids = this.#store.realisationIds(this.#read(input));
      for (const name of names) {
        const id = ids.get(name) as string;
        const outPath = this.find(input, name);
        if (outPath === undefined) continue;
        found.set(
          id,
          this.#store.queryRealisation(id) ?? { id, outPath, signatures: [], dependentRealisations: new Map() },
        );
      }
    }
    return found;
  }

  #read(drvPath: StorePath): Derivation {
    return this.#store.readDerivation(drvPath);
  }
}
