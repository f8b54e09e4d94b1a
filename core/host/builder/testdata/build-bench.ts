import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import type { BuildEvent } from "../../../build/index.ts";
import { beginEvaluation, currentEvaluation, derivation, type DerivationOptions, type DerivationValue, local } from "../../../derivation/index.ts";
import type { StorePath } from "../../../store/index.ts";
import { filterFromFiles, makeSourceHost, removeTree } from "../../files/index.ts";
import { type LocalStore, openLocalStore } from "../../local-store/index.ts";
import { findSandboxSupport } from "../../sandbox/index.ts";
import { type BuildOptions, type BuildReport, buildPaths } from "../build-paths.ts";
import { findBusybox, type TestBusybox } from "./busybox.ts";

const APPLETS = "sh ls cat id mkdir ln cp rm touch sleep wc env stat test readlink chmod head seq dd nc hostname ifconfig tty mkfifo mknod mount mv grep xargs tr truncate kill sed cut sha256sum".split(" ");

/** A store of its own in a temporary directory, with one program to build with. */
export interface BuildBench {
  readonly store: LocalStore;
  readonly busybox: TestBusybox;
  /** The temporary directory all is in. */
  readonly directory: string;
  /** A derivation that runs shell text, with all of busybox on its PATH; it is in the store. */
  script(text: string, options?: Partial<DerivationOptions>): Promise<DerivationValue>;
  /** Many scripts at once, by name; a text may mention the one before. Gives the paths of their derivations. */
  scripts(list: readonly (readonly [name: string, text: string | ((before: DerivationValue) => string)])[]): Promise<string[]>;
  /** Put any derivation into the store. */
  add(options: DerivationOptions): Promise<DerivationValue>;
  /** Build, and collect what happened. */
  build(value: DerivationValue, options?: BuildOptions): Promise<BuildReport & { readonly events: BuildEvent[] }>;
  /** Another empty store, with the sources and derivations of this one. */
  openOther(): Promise<LocalStore>;
  /** Place of an output on the host. */
  real(value: DerivationValue, output?: string): string;
  close(): void;
}

/** Open a bench; a text says why builds cannot be tried on this machine. */
export async function openBuildBench(): Promise<BuildBench | string> {
  const support = findSandboxSupport();
  if (support.kind !== "available") return `no sandbox on this machine (${support.kind})`;
  const busybox = await findBusybox();
  if (typeof busybox === "string") return busybox;
  const directory = mkdtempSync(`${tmpdir()}/floe-bench-`);
  // bubblewrap runs builds as users of their own, who have to get here.
  chmodSync(directory, 0o711);
  const tools = `${directory}/tools`;
  mkdirSync(`${tools}/bin`, { recursive: true });
  copyFileSync(busybox.program, `${tools}/bin/busybox`);
  chmodSync(`${tools}/bin/busybox`, 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", `${tools}/bin/${applet}`);
  const store = openLocalStore({ root: `${directory}/root` });
  const others: LocalStore[] = [];
  beginEvaluation(makeSourceHost());
  const bin = `${local(tools, { name: "tools" })}/bin`;

  /** Put what the evaluation has made so far into a store. */
  async function write(into = store): Promise<void> {
    const { sources, derivations } = currentEvaluation();
    await into.batch(async () => {
      for (const [path, source] of sources) {
        if (into.isValid(path)) continue;
        if (source.kind === "text") into.addText(source.name, source.contents, source.references as StorePath[]);
        else await into.addTree({ name: source.name, from: source.from, ...(source.files === undefined ? {} : { filter: filterFromFiles(source.files) }) });
      }
      for (const [path, text] of derivations) into.addDerivationText(path, text);
    });
  }
  async function add(options: DerivationOptions): Promise<DerivationValue> {
    const value = derivation(options);
    await write();
    return value;
  }
  const shell = (text: string, options: Partial<DerivationOptions> = {}): DerivationOptions => ({
    name: "t",
    system: "x86_64-linux",
    builder: `${bin}/busybox`,
    args: ["sh", "-ec", text],
    ...options,
    env: { PATH: bin, ...options.env },
  });

  return {
    store,
    busybox,
    directory,
    add,
    script: (text, options) => add(shell(text, options)),
    async scripts(list) {
      const values: DerivationValue[] = [];
      for (const [name, text] of list)
        values.push(derivation(shell(typeof text === "string" ? text : text(values.at(-1) as DerivationValue), { name })));
      await write();
      return values.map((value) => value.drvPath);
    },
    async build(value, options = {}) {
      const events: BuildEvent[] = [];
      const report = await buildPaths({ store, targets: [{ drvPath: value.drvPath as StorePath }], options: { maxJobs: 2, cores: 1, ...options, events: (event) => events.push(event) } });
      return { ...report, events };
    },
    async openOther() {
      const other = openLocalStore({ root: mkdtempSync(`${directory}/other-`) });
      others.push(other);
      await write(other);
      return other;
    },
    real: (value, output) => store.realPath(output === undefined ? value.outPath : (value.outputs[output] ?? "")),
    close() {
      for (const each of [store, ...others]) each.close();
      removeTree(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
