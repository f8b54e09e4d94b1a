import { CodedError } from "../../../../core/base/index.ts";
import { type PathInfo, parseStorePath, type StorePath } from "../../../../core/store/index.ts";
import { followIntoStore } from "../../follow-links.ts";

/**
 * What the store knows about a path a user gave; a path inside an object, or a link to it, means the object.
 *
 * @throws {CodedError} `store.not-valid` when the store does not have it.
 */
export function getPathInfo(
  store: { readonly storeDirectory: string; queryPathInfo(path: StorePath): PathInfo | undefined },
  text: string,
): PathInfo {
  const path = readPathText(store.storeDirectory, text);
  const info = store.queryPathInfo(path);
  if (info !== undefined) return info;
  throw new CodedError("store.not-valid", `Cannot look at "${path}": it is not in the store`, {
    hint: "`floe build` of the derivation it comes from makes it.",
  });
}

/** The store path a user means, whether or not a store has it. @throws {CodedError} those of `parseStorePath` */
export function readPathText(storeDirectory: string, text: string): StorePath {
  const place = text.startsWith(`${storeDirectory}/`) ? text : followIntoStore(text, process.cwd());
  const [, , , object] = place.split("/");
  const whole = place.startsWith(`${storeDirectory}/`) && object !== undefined;
  return parseStorePath(whole ? `${storeDirectory}/${object}` : text);
}
