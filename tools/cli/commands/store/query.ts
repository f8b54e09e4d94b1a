import { sortedText } from "../../../../core/base/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { QueryFlags } from "./index.ts";
import { getPathInfo } from "./valid-path.ts";

type Relation = "references" | "referrers" | "closure" | "derivers";

/** The function of `floe store query RELATION`. */
export function query(relation: Relation) {
  return function (this: CliContext, flags: QueryFlags, ...texts: string[]): void {
    using store = openStore(flags, { readOnly: true });
    const infos = texts.map((text) => getPathInfo(store, text));
    const found: readonly StorePath[] =
      relation === "closure"
        ? store.closure(infos.map(({ path }) => path))
        : sortedText(
            new Set(
              infos.flatMap((info) => {
                if (relation === "references") return info.references;
                if (relation === "referrers") return [...store.queryReferrers(info.path)];
                return info.deriver === undefined ? [...store.queryValidDerivers(info.path)] : [info.deriver];
              }),
            ),
          ).map((path) => path as StorePath);
    if (flags.json) return this.printJson(found);
    for (const path of found) this.print(path);
  };
}
