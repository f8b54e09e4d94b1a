import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { removeTree } from "../files/index.ts";

const MODULE = join(import.meta.dirname, "inherited-descriptors.ts");

/** High enough that Node, which marks the low ones as closed on `exec` when it starts, leaves it alone. */
const HIGH = 40;

/** A process that gets `inherited` as a high descriptor closes what it inherited, and says which file that is then. */
function descriptorAfterwards(inherited: string, environment: Readonly<Record<string, string>>): string {
  const script = `
    import { readlinkSync } from "node:fs";
    import { closeInheritedDescriptors } from ${JSON.stringify(MODULE)};
    closeInheritedDescriptors();
    let target = "closed";
    try { target = readlinkSync("/proc/self/fd/${HIGH}"); } catch {}
    process.stdout.write(target);`;
  const descriptor = openSync(inherited, "r");
  const child = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "inherit", ...Array<"ignore">(HIGH - 3).fill("ignore"), descriptor],
  });
  closeSync(descriptor);
  return child.stdout;
}

test("closeInheritedDescriptors() closes what our caller left open, and leaves the certificates Node is reading", () => {
  const directory = mkdtempSync(join(tmpdir(), "floe-descriptors-"));
  try {
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.is(descriptorAfterwards(file, {}), "closed");
    assert.is(descriptorAfterwards(file, { NODE_EXTRA_CA_CERTS: join(directory, "none") }), "closed");
    assert.is(descriptorAfterwards(file, { NODE_EXTRA_CA_CERTS: file }), file);
  } finally {
    removeTree(directory);
  }
});

test.run();
