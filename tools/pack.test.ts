import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../vm-tests/qemu-wrapper/testing.ts";
import { packPackages } from "./pack.ts";

const NODE_MODULES = join(import.meta.dirname, "../node_modules");
const work = mkdtempSync(join(tmpdir(), "floe-pack-test-"));
test.after(() => rmSync(work, { recursive: true, force: true }));

function run(program: string, ...words: string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: work, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}` };
}

test.before(() => {
  for (const archive of packPackages(join(work, "archives"))) {
    const name = /([^/]+)-[\d.]+\.tgz$/.exec(archive)?.[1] ?? archive;
    mkdirSync(join(work, "node_modules", name), { recursive: true });
    const { status, said } = run("tar", "-xzf", archive, "--strip-components=1", "-C", join("node_modules", name));
    assert.is(status, 0, said);
  }
  // What npm would fetch for them, and types for the compiler.
  for (const name of ["es-module-lexer", "@types", "undici-types"])
    symlinkSync(join(NODE_MODULES, name), join(work, "node_modules", name));
  writeFileSync(join(work, "package.json"), '{ "type": "module" }');
});

test("packed packages have types, in a project that does not know Floe", () => {
  writeFileSync(
    join(work, "typed.ts"),
    `import { qemuVersion, VirtualMachine } from "qemu-wrapper";
     import { runVmTest, type RunOptions } from "floe-vm-driver";
     export const script: RunOptions["script"] = async ({ machine }) => {
       const text: string = await machine!.succeed\`echo \${1}\`;
       // @ts-expect-error: a machine has no such method
       await machine!.suceed\`echo \${text}\`;
     };
     export const all = [runVmTest, qemuVersion, VirtualMachine];`,
  );
  const flags = "--noEmit --strict --module nodenext --target es2023 --lib esnext --types node".split(" ");
  const { status, said } = run(process.execPath, join(NODE_MODULES, "typescript/bin/tsc"), ...flags, "typed.ts");
  assert.is(status, 0, said);
});

(HAS_QEMU ? test : test.skip)("packed packages run machines", () => {
  writeFileSync(
    join(work, "wrapper.js"),
    `import { writeFileSync } from "node:fs";
     import { join } from "node:path";
     import { makeRunDirectory, serialTextRom, VirtualMachine } from "qemu-wrapper";
     const folder = makeRunDirectory();
     const firmware = join(folder.path, "rom");
     writeFileSync(firmware, serialTextRom("out of a package\\n"));
     let told;
     const said = new Promise((resolve) => (told = resolve));
     let text = "";
     const shape = { name: "rom", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1, firmware, disks: [], ports: [] };
     const machine = await VirtualMachine.start({
       shape,
       folder: folder.path,
       onConsole: (data) => { text += data; if (text.includes("package")) told(); },
     });
     await said;
     await machine.quit();
     folder.remove();
     console.log(text);`,
  );
  const wrapper = run(process.execPath, "wrapper.js");
  assert.is(wrapper.status, 0, wrapper.said);
  assert.match(wrapper.said, "out of a package");

  const missing = { toplevel: "/", kernel: "/missing/kernel", initrd: "/missing/initrd", kernelParameters: "" };
  const machine = {
    architecture: "x86_64",
    memoryMiB: 64,
    cpus: 1,
    rootImage: "/missing/root",
    storeImage: "/missing/store",
  };
  writeFileSync(
    join(work, "driver.js"),
    `import { runVmTest } from "floe-vm-driver";
     const result = await runVmTest({
       manifest: ${JSON.stringify({
         type: "vmTest",
         name: "missing",
         platforms: ["x86_64-linux"],
         boot: "cold",
         machines: { machine: { ...machine, generations: { base: missing } } },
       })},
       storyFile: import.meta.filename,
       realPath: (path) => path,
       folder: "records",
       log: () => {},
       script: ({ machine }) => machine.start(),
     });
     console.log(result.ok, result.error.message, JSON.stringify(result.error.at));`,
  );
  const driver = run(process.execPath, "driver.js");
  assert.is(driver.status, 0, driver.said);
  assert.match(driver.said, /^false .*\/missing\/root.*"file":"[^"]*driver\.js","line":8,"column"/s);
});

test.run();
