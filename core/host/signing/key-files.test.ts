import { chmodSync, mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { formatKey, publicKeyOf } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { generateSecretKey, readPublicKeys, readSecretKey, writeSecretKey } from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "floe-keys-"));
test.after(() => removeTree(directory));

test("writeSecretKey() writes for the owner alone what readSecretKey() reads", () => {
  const key = generateSecretKey("test-1");
  const file = join(directory, "secret");
  writeFileSync(file, "an older key");
  chmodSync(file, 0o644);
  writeSecretKey(file, key);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.equal(readSecretKey(file), key);
});

test("readPublicKeys() reads one key a line", () => {
  const keys = ["a-1", "b-1"].map((name) => publicKeyOf(generateSecretKey(name)));
  const file = join(directory, "public");
  writeFileSync(file, `${keys.map(formatKey).join("\n")}\n`);
  assert.equal(readPublicKeys(file), keys);
});

test("readSecretKey() names the file it cannot use", () => {
  const file = join(directory, "wrong");
  for (const contents of ["nonsense", "x".repeat(5000)]) {
    writeFileSync(file, contents);
    assert.throws(
      () => readSecretKey(file),
      (error: CodedError) => error.code === "key.malformed" && error.message.includes(file),
    );
  }
  assert.throws(
    () => readSecretKey(join(directory, "absent")),
    (error: CodedError) => error.code === "key.unreadable",
  );
});

test.run();
