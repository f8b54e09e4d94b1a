import { readdirSync, statSync, unlinkSync } from "node:fs";

/** How much of earlier evaluations is kept. */
export interface RecordLimits {
  /** All files together. */
  readonly maxBytes: number;
  /** Since an answer was made. */
  readonly maxAgeMs: number;
}

/** A few hundred answers about whole systems, or some ten thousand lines of `floe repl`. */
const LIMITS: RecordLimits = { maxBytes: 256 * 1024 * 1024, maxAgeMs: 30 * 24 * 3600 * 1000 };
/** Whoever wrote a file that has its temporary name still after this time was killed. */
const MAX_WRITE_MS = 3600 * 1000;

interface Kept {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * Remove answers that are old, the oldest ones of too many, and what killed writers left: each question has a record of its own, each line
 * of `floe repl` too, so that they would grow without end. A record of which a part is gone counts as none.
 */
export function trimRecords(folder: string, limits: RecordLimits = LIMITS): void {
  const now = Date.now();
  const kept: Kept[] = [];
  for (const file of [folder, `${folder}/modules`].flatMap(readFiles)) {
    const maxAgeMs = file.path.includes(".tmp-") ? MAX_WRITE_MS : limits.maxAgeMs;
    if (now - file.mtimeMs > maxAgeMs) remove(file.path);
    else kept.push(file);
  }
  kept.sort((a, b) => b.mtimeMs - a.mtimeMs);
  let sizeBytes = 0;
  for (const { path, size } of kept) {
    sizeBytes += size;
    if (sizeBytes > limits.maxBytes) remove(path);
  }
}

function readFiles(folder: string): Kept[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // Nothing was kept there yet.
    return [];
  }
  return names.flatMap((name) => {
    const path = `${folder}/${name}`;
    try {
      const stat = statSync(path);
      return stat.isFile() ? [{ path, size: stat.size, mtimeMs: stat.mtimeMs }] : [];
    } catch {
      // Another process removed it, or gave it its name.
      return [];
    }
  });
}

/** A cache that cannot be trimmed is no reason to fail. */
function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    return;
  }
}
