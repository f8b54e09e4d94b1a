import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createOverlay, findProgram } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "qemu-overlay-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const hasQemuImg = findProgram("qemu-img") !== undefined;
if (!hasQemuImg) console.log("skipped what compares with qemu-img: it is not installed");

interface Info {
  readonly "virtual-size": number;
  readonly "backing-filename": string;
  readonly "backing-filename-format": string;
}

const info = (file: string): Info =>
  JSON.parse(execFileSync("qemu-img", ["info", "--output=json", file], { encoding: "utf8" })) as Info;

(hasQemuImg ? test : test.skip)(
  "createOverlay() makes what qemu-img calls whole, of any size and over both formats",
  () => {
    let number = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 36 }), fc.stringMatching(/^[a-z]{1,100}$/), (size, name) => {
        number += 1;
        const [base, middle, top] = [name, "middle", "top"].map((part) => join(folder, `${number}-${part}`)) as [
          string,
          string,
          string,
        ];
        writeFileSync(base, "");
        truncateSync(base, size);
        createOverlay({ backing: base, file: middle });
        createOverlay({ backing: middle, backingFormat: "qcow2", file: top });
        execFileSync("qemu-img", ["check", "-q", top]);
        const rounded = Math.ceil(size / 512) * 512;
        assert.equal([info(middle)["virtual-size"], info(top)["virtual-size"]], [rounded, rounded]);
        assert.equal([info(middle)["backing-filename"], info(top)["backing-filename"]], [base, middle]);
        assert.equal([info(middle)["backing-filename-format"], info(top)["backing-filename-format"]], ["raw", "qcow2"]);
      }),
      { numRuns: 8 },
    );
  },
);

(hasQemuImg ? test : test.skip)("an overlay reads as its base, and leaves it alone when it is written", () => {
  const base = join(folder, "base.img");
  const top = join(folder, "top.qcow2");
  const bytes = Buffer.alloc(1 << 20, "base");
  writeFileSync(base, bytes);
  createOverlay({ backing: base, file: top });
  const raw = join(folder, "raw.img");
  execFileSync("qemu-img", ["convert", "-O", "raw", top, raw]);
  assert.ok(readFileSync(raw).equals(bytes));
  if (findProgram("qemu-io") === undefined) return;
  execFileSync("qemu-io", ["-c", "write -P 7 4096 4096", top], { stdio: "ignore" });
  assert.ok(readFileSync(base).equals(bytes));
  execFileSync("qemu-img", ["check", "-q", top]);
});

test("createOverlay() says what it cannot do", () => {
  const code = (options: Parameters<typeof createOverlay>[0]): string => {
    try {
      createOverlay(options);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "";
  };
  const file = join(folder, "x.qcow2");
  const raw = join(folder, "raw");
  writeFileSync(raw, Buffer.alloc(512));
  for (const options of [
    { backing: "/no/base", file },
    { backing: raw, backingFormat: "qcow2" as const, file },
    { backing: raw, file: join(folder, "no/such/folder") },
    { backing: raw.replace("/raw", `${"/.".repeat(600)}/raw`), file },
  ])
    assert.is(code(options), "qemu.overlay-failed");
});

test.run();
