import { type Derivation, fixedOutputOf } from "../derivation/index.ts";
import { attributesOf } from "./structured-attributes.ts";

/** Addresses that a derivation fetches from, as it states them. */
export function statedUrls(drv: Derivation): string[] {
  const attributes: Readonly<Record<string, unknown>> = attributesOf(drv) ?? drv.env;
  const words = [attributes["url"], attributes["urls"]]
    .flat()
    .flatMap((value) => (typeof value === "string" ? value.split(/[ \t\r\n]+/) : []));
  return [...new Set(words.filter((word) => word !== ""))];
}

/**
 * Whether a derivation names a new address for a content that is there already: its hash was left as it was, so that nothing is
 * fetched and the old content is used in silence. The text says so; `undefined` when all is well.
 *
 * @param drv What is asked for now.
 * @param fetchedBy The derivation the content came from.
 */
export function staleContentNotice(drv: Derivation, fetchedBy: Derivation): string | undefined {
  const fixed = fixedOutputOf(drv);
  if (fixed === undefined || fixed.path !== fixedOutputOf(fetchedBy)?.path) return undefined;
  const [now] = statedUrls(drv);
  const before = statedUrls(fetchedBy);
  if (now === undefined || before.length === 0 || statedUrls(drv).some((url) => before.includes(url))) return undefined;
  return (
    `the content of "${drv.name}" was fetched from ${before[0]} and is used as it is; ${now} is not tried, since the hash is the same ` +
    `(if it is to be something else, change the hash as well)`
  );
}
