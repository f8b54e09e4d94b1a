/** The loader in a process of its own, since modules as values need a flag of Node. */
import { execFileSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../testing.ts";

const test = suite("Loader");

/** What a program prints that has a loader, and what it needs to write, load and renew. */
function run(body: string, files: Readonly<Record<string, string>>): unknown {
  const from = (name: string): string => JSON.stringify(import.meta.resolve(name));
  const code = `
    import { rmSync, symlinkSync, writeFileSync } from "node:fs";
    import { createContext } from "node:vm";
    import { Loader } from ${from("./loader.ts")};
    import { Mounts } from ${from("./mounts.ts")};
    const folder = ${JSON.stringify(makeFolder(files))};
    const engine = { path: "/@engine", hostPath: "/nowhere", name: "engine", folders: [] };
    const sources = () => ({
      mounts: new Mounts([engine, { path: "/@flake", hostPath: folder, name: "flake" }]),
      engine,
    });
    const refuse = () => { throw new Error("not needed"); };
    const options = { context: createContext(), hostCalls: {}, stripped: { known: {}, made: {} }, stripTypes: refuse, refuseImport: refuse, ownFunction: refuse };
    const loader = new Loader({ ...options, ...sources() });
    const valueOf = (name) => loader.run(loader.load("/@flake/" + name)).namespace.default;
    const write = (name, text) => writeFileSync(folder + "/" + name, text);
    const link = (name, target) => (rmSync(folder + "/" + name, { force: true }), symlinkSync(target, folder + "/" + name));
    const failure = (call) => {
      try {
        return call();
      } catch (error) {
        return error.report?.code ?? error;
      }
    };
    const print = (value) => console.log(JSON.stringify(value));
    ${body}`;
  const flags = ["--experimental-vm-modules", "--no-warnings", "--input-type=module"];
  return JSON.parse(execFileSync(process.execPath, [...flags, "--eval", code], { encoding: "utf8" }));
}

const shared = {
  "main.js": 'import b from "./b.js";\nexport default b;\n',
  "b.js": 'import c from "./c.js";\nexport default c;\n',
  "c.js": 'import d from "./d.js";\nexport default d;\n',
  "d.js": "export default 1;\n",
};

test("renew() lets what is loaded have what it imports as it is then", () => {
  const body = `loader.load("/@flake/main.js");
    write("d.js", "export default 2;");
    loader.renew(sources());
    print(valueOf("main.js"));`;
  assert.is(run(body, shared), 2);
});

test("renew() lets also what is loaded later have what was made anew for another module", () => {
  const body = `loader.load("/@flake/main.js");
    write("main.js", 'import c from "./c.js";\\nexport default c;');
    write("d.js", "export default 2;");
    loader.renew(sources());
    print([valueOf("main.js"), valueOf("b.js")]);`;
  assert.equal(run(body, shared), [2, 2]);
});

test("load() takes a link beside modules that were read for what it leads to, once", () => {
  const body = `link("e.js", "d.js");
    write("both.js", 'import d from "./d.js"; import e, * as all from "./e.js"; import * as same from "./d.js"; export default [d, e, all === same];');
    print(valueOf("both.js"));`;
  assert.equal(run(body, shared), [1, 1, true]);
});

test("load() refuses links out of the source, folders and what is not there, also beside modules that were read", () => {
  const body = `link("out.js", "../out.js");
    link("folder.js", ".");
    loader.load("/@flake/d.js");
    print(["out.js", "folder.js", "gone.js"].map((name) => failure(() => valueOf(name))));`;
  assert.equal(run(body, shared), [
    "evaluation.import-symlink-escape",
    "evaluation.import-not-a-file",
    "evaluation.import-missing",
  ]);
});

test("renew() follows a link that has come in the place of a module", () => {
  const body = `loader.load("/@flake/main.js");
    write("other.js", "export default 3;");
    link("d.js", "other.js");
    loader.renew(sources());
    print(valueOf("main.js"));`;
  assert.is(run(body, shared), 3);
});

test.run();
