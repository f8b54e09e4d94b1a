import type { StoreGraph, StoreQueries, StoreReader, StoreWriter } from "../../store/index.ts";

/** A store that objects can be copied from and to, wherever it is. */
export interface AnyStore extends StoreQueries, StoreReader, StoreWriter, Pick<StoreGraph, "closure">, Disposable {
  close(): void;
}
