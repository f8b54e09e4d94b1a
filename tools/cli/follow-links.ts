import { lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { STORE_DIRECTORY } from "../../core/store/index.ts";

/** As many links as the kernel follows. */
const MAX_LINKS = 40;

/**
 * The place below the store directory that a link of the user's leads to (`./result`, a profile), link by link; any other text
 * comes back as it is. Links of a chroot store hold the names its objects have inside, so the kernel could not follow them.
 */
export function followIntoStore(text: string, cwd: string): string {
  if (!/^[./~]/.test(text) || text.includes("#")) return text;
  let rest = resolve(cwd, text).split("/").slice(1);
  let place = "";
  for (let links = 0; rest.length > 0 && links < MAX_LINKS; ) {
    const next = `${place}/${rest[0]}`;
    if (place === STORE_DIRECTORY) return [place, ...rest].join("/");
    const stat = lstatSync(next, { throwIfNoEntry: false });
    rest = rest.slice(1);
    if (stat?.isSymbolicLink() === true) {
      links += 1;
      rest = [...resolve(dirname(next), readlinkSync(next)).split("/").slice(1), ...rest];
      place = "";
    } else place = next;
  }
  return text;
}
