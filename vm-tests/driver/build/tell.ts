import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { formatWireEntry, type WireEntry } from "./wire.ts";

/** Larger files stay in the build. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Tell an entry of a run's records on the builder's output. */
export function tell(entry: WireEntry): void {
  process.stdout.write(formatWireEntry(entry));
}

/**
 * Tell all files below a place in the run's folder, by default below the folder itself. Folders are made again from the names in them, and a link is
 * not followed to who knows where.
 */
export function tellFolder(folder: string, place = "."): void {
  if (!existsSync(join(folder, place))) return;
  for (const name of readdirSync(join(folder, place), { recursive: true, encoding: "utf8" })) {
    const file = join(place, name);
    const info = lstatSync(join(folder, file));
    // Lines of JSON were told as they came.
    const isTold = extname(file) === ".ndjson" && !file.split("/").includes("files");
    if (info.isFile() && info.size <= MOST_BYTES && !isTold)
      tell({ file, base64: readFileSync(join(folder, file), "base64") });
  }
}
