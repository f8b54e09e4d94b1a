import { readFileSync } from "node:fs";
import { Ajv } from "ajv";

const SCHEMA_FILE = new URL("../../../docs/lock.schema.json", import.meta.url);

/** The published schema of `lock.json`, as a test of values. */
export function compileLockSchema(): (lock: unknown) => boolean {
  return new Ajv({ strict: true, allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(SCHEMA_FILE, "utf8")) as object,
  );
}

let isLock: ((lock: unknown) => boolean) | undefined;

/** For tests: read a lock that was written, and hold it against the published schema. */
export function readCheckedLock(file: string): unknown {
  const lock: unknown = JSON.parse(readFileSync(file, "utf8"));
  isLock ??= compileLockSchema();
  if (!isLock(lock)) throw new Error(`${file} does not fit docs/lock.schema.json: ${JSON.stringify(lock)}`);
  return lock;
}
