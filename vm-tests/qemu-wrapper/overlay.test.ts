import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createOverlay, findProgram, flattenDisk } from "./index.ts";

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
      { numRuns: 8, examples: [[0, "empty"]] },
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

(findProgram("qemu-io") === undefined ? test.skip : test)(
  "flattenDisk() reads what QEMU wrote through a chain of images, as qemu-img does",
  () => {
    const [base, middle, top, ours, theirs] = ["f0", "f1", "f2", "ours", "theirs"].map((name) =>
      join(folder, name),
    ) as [string, string, string, string, string];
    writeFileSync(base, Buffer.alloc(3 << 20, "base"));
    createOverlay({ backing: base, file: middle });
    const write = (file: string, ...commands: string[]): void =>
      void execFileSync("qemu-io", [...commands.flatMap((command) => ["-c", command]), file], { stdio: "ignore" });
    write(middle, "write -P 1 0 64k", "write -P 2 1000k 200k", "write -z 2M 64k");
    createOverlay({ backing: middle, backingFormat: "qcow2", file: top });
    write(top, "write -P 3 1100k 10k", "discard 0 64k");
    flattenDisk(top, ours);
    execFileSync("qemu-img", ["convert", "-O", "raw", top, theirs]);
    assert.ok(readFileSync(ours).equals(readFileSync(theirs)));
    // What an image of another maker may have.
    const packed = join(folder, "packed.qcow2");
    execFileSync("qemu-img", ["convert", "-c", "-O", "qcow2", base, packed]);
    assert.throws(
      () => flattenDisk(packed, ours),
      (error: { code: string }) => error.code === "qemu.flatten-failed",
    );
  },
);

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
