import type { PathInfo, Realisation, StorePath } from "../../store/index.ts";
import { adopt, adoptForRealisations, adoptReferences, type Layers } from "./adopt.ts";
import type { ClosureSource } from "./closures.ts";
import type { StoreDatabase } from "./database.ts";
import { isOwn, LayeredQueries, LayeredRealisations, type LowerStore } from "./layered-queries.ts";
import { type ObjectQueries, StoreQueryTable } from "./queries.ts";
import { type RealisationQueries, RealisationTable } from "./realisations.ts";
import { readWholeStore } from "./whole-store.ts";

/** What a store knows: by its own database, and by the store below where there is one. */
export class StoreLayers {
  /** What its own database knows. */
  readonly own: StoreQueryTable;
  readonly ownRealisations: RealisationTable;
  /** What is valid. */
  readonly queries: ObjectQueries;
  readonly realisations: RealisationQueries;
  readonly #database: StoreDatabase;
  readonly #lower: LowerStore | undefined;
  readonly #register: Layers["register"];

  /** @param register Registers objects in the store's own database, which then has all they refer to. */
  constructor(
    database: StoreDatabase,
    {
      lower,
      stateDirectory,
      register,
    }: Pick<Layers, "register"> & { lower: LowerStore | undefined; stateDirectory: string },
  ) {
    this.#database = database;
    this.#lower = lower;
    this.#register = register;
    this.own = new StoreQueryTable(database);
    this.ownRealisations = new RealisationTable(database, stateDirectory);
    this.queries = lower === undefined ? this.own : new LayeredQueries(this.own, lower);
    this.realisations =
      lower === undefined ? this.ownRealisations : new LayeredRealisations(this.ownRealisations, lower);
  }

  /** The place of a path at or inside an object that lies in the lower store; `undefined` for any other. */
  sharedPlace(path: string): string | undefined {
    if (this.#lower === undefined) return undefined;
    const object = path.split("/", 4).join("/") as StorePath;
    const isShared = this.#lower.isValid(object) && !isOwn(object, this.own, this.#lower);
    return isShared ? this.#lower.realPath(path) : undefined;
  }

  /** All at once, where one database has all. */
  get whole(): ClosureSource["whole"] {
    if (this.#lower !== undefined) return undefined;
    return {
      rows: () => this.own.idsEnd(),
      read: (withFacts) => readWholeStore(this.#database, { withFacts }),
    };
  }

  allPathInfos(): PathInfo[] {
    const whole = this.whole?.read(true);
    if (whole !== undefined) return whole.paths.map((_, number) => whole.info(number));
    return this.queries.allPaths().map((path) => this.queries.pathInfo(path) as PathInfo);
  }

  /** Register objects, but those that the lower store has got. */
  register(infos: readonly PathInfo[], register: Layers["register"] = this.#register): void {
    const layers = this.#layers();
    register(layers === undefined ? infos : adoptReferences(layers, infos));
  }

  addRealisations(realisations: readonly Realisation[]): void {
    const layers = this.#layers();
    this.ownRealisations.add(layers === undefined ? realisations : adoptForRealisations(layers, realisations));
  }

  /** Let the store's own database have rows of these objects, so that something can be added to them. */
  adopt(paths: Iterable<StorePath>): void {
    const layers = this.#layers();
    if (layers !== undefined) adopt(layers, paths);
  }

  #layers(): Layers | undefined {
    if (this.#lower === undefined) return undefined;
    return { upper: this.own, realisations: this.ownRealisations, lower: this.#lower, register: this.#register };
  }
}
