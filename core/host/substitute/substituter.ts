import type { StoreQueries, StoreReader } from "../../store/index.ts";

/** Another store that objects may be taken from. */
export interface Substituter {
  /** Address for people and for the memory of lookups. */
  readonly url: string;
  /** Those with a lower number are asked first. */
  readonly priority: number;
  /** Whether its objects need no signature. Default false. */
  readonly trusted?: boolean | undefined;
  readonly store: StoreQueries & StoreReader;
  close?(): void;
}

/** How to open one; done when the first question comes. */
export interface SubstituterSource {
  readonly url: string;
  open(): Promise<Substituter>;
}
