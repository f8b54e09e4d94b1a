import { spawnSync } from "node:child_process";
import { lstatSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { FileJoiner } from "../files/index.ts";
import { findNativeProgram } from "../sandbox/support.ts";
import { IGNORED_ATTRIBUTES, type StoreSettings } from "./settings.ts";

/**
 * What is done to the files of objects that are complete, before they go to the disk: extended attributes are taken away, and equal
 * files joined where the settings say so.
 *
 * Attributes can only be there when the store directory gives them to all that is made in it: by a default access control list, or
 * by a label of the system. So the first files of a process are looked at, and the others only where those had some.
 */
export class FileCare {
  readonly #realStoreDirectory: string;
  readonly #autoOptimise: boolean;
  readonly #ignored: readonly string[];
  #joiner: FileJoiner | undefined;
  #inheritsAttributes: boolean | undefined;

  constructor(
    realStoreDirectory: string,
    {
      autoOptimise = false,
      ignoredAttributes = IGNORED_ATTRIBUTES,
    }: { readonly [Key in keyof StoreSettings]?: StoreSettings[Key] | undefined } = {},
  ) {
    this.#realStoreDirectory = realStoreDirectory;
    this.#autoOptimise = autoOptimise;
    this.#ignored = ignoredAttributes;
  }

  /** @throws {CodedError} `store.attributes` when one cannot be removed */
  take(files: readonly string[]): void {
    this.#stripAttributes(files);
    if (!this.#autoOptimise) return;
    try {
      this.#joiner ??= new FileJoiner(this.#realStoreDirectory);
      for (const file of files) this.#joiner.join(file);
    } catch {
      // Saving space is no reason to fail; `floe store optimise` tells what is in its way.
    }
  }

  #stripAttributes(files: readonly string[]): void {
    if (this.#inheritsAttributes === false) return;
    // Links have none of those that are inherited.
    const first = files.find((file) => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === false);
    if (first === undefined) return;
    this.#inheritsAttributes ??= (this.#run("list", first)?.stdout ?? "") !== "";
    if (!this.#inheritsAttributes) return;
    for (const file of files) {
      const ran = this.#run("strip", file);
      if (ran === undefined || ran.status === 0) continue;
      throw new CodedError("store.attributes", `Cannot take attributes from "${file}": ${ran.stderr.trim()}`, {
        hint: 'Name those that may stay in the settings: "ignoredAttributes": ["security.selinux"].',
      });
    }
  }

  /** `undefined` where nothing on this machine knows of attributes. */
  #run(verb: "list" | "strip", file: string): { status: number | null; stdout: string; stderr: string } | undefined {
    const program = findNativeProgram();
    if (program === undefined) return undefined;
    return spawnSync(program, ["attributes", verb, file, ...this.#ignored], { encoding: "utf8" });
  }
}
