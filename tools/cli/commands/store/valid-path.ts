import { CodedError } from "../../../../core/base/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { type PathInfo, parseStorePath } from "../../../../core/store/index.ts";
import { followIntoStore } from "../../follow-links.ts";

/**
 * What the store knows about a path a user gave; a path inside an object, or a link to it, means the object.
 *
 * @throws {CodedError} `store.not-valid` when the store does not have it.
 */
export function getPathInfo(store: LocalStore, text: string): PathInfo {
  const place = text.startsWith(`${store.storeDirectory}/`) ? text : followIntoStore(text, process.cwd());
  const [, , , object] = place.split("/");
  const whole = place.startsWith(`${store.storeDirectory}/`) && object !== undefined;
  const path = parseStorePath(whole ? `${store.storeDirectory}/${object}` : text);
  const info = store.queryPathInfo(path);
  if (info !== undefined) return info;
  throw new CodedError("store.not-valid", `Cannot look at "${path}": it is not in the store`, {
    hint: "`floe build` of the derivation it comes from makes it.",
  });
}
