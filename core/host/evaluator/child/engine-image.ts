import { readFileSync } from "node:fs";
import { type Context, Script, SyntheticModule } from "node:vm";
import { bundleFiles } from "../bundle-files.ts";
import type { Mount } from "../protocol.ts";

/** What the script of the image gives: the agent, and what each part of the engine exports, by its name. */
type Made = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
type MakeImage = (host: Readonly<Record<string, unknown>>, place: string) => Made;

/** Name of the export that is no part of the engine but answers the question. */
const AGENT = "agent";

export interface EngineImageOptions {
  readonly context: Context;
  readonly engine: Mount;
  /** What `floe:host` gives to the inside. */
  readonly hostCalls: Readonly<Record<string, unknown>>;
}

/**
 * The engine as the bundle has it: `prelude.ts`, the agent and all parts in one script, whose functions were compiled when the bundle
 * was made. Two hundred modules of it would be read, compiled and linked anew by each evaluation.
 */
export class EngineImage {
  readonly #script: Script;
  readonly #made: Made;
  readonly #context: Context;
  readonly #stripped: string;
  readonly #parts = new Map<string, SyntheticModule>();

  /** Runs the script: from here on the realm is the one of evaluations. */
  constructor({ context, engine, hostCalls }: EngineImageOptions) {
    const { image, imageCode, stripped } = bundleFiles(engine.hostPath);
    const cachedData = readOptional(imageCode);
    this.#context = context;
    this.#stripped = stripped;
    // As a file of the engine's floors, so that its frames are the engine's.
    this.#script = new Script(readFileSync(image, "utf8"), {
      filename: `${engine.path}/core/engine-image.js`,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    const make = this.#script.runInContext(context) as MakeImage;
    this.#made = make(hostCalls, `file://${encodeURI(engine.path)}`);
  }

  get agent(): unknown {
    return this.#made[AGENT];
  }

  /** The module that `#floe/<name>` stands for; `undefined` for what is no part of the image. */
  part(name: string): SyntheticModule | undefined {
    let module = this.#parts.get(name);
    const exported = name === AGENT || !Object.hasOwn(this.#made, name) ? undefined : this.#made[name];
    if (module !== undefined || exported === undefined) return module;
    module = new SyntheticModule(
      Object.keys(exported),
      function (this: SyntheticModule) {
        for (const [key, value] of Object.entries(exported)) this.setExport(key, value);
      },
      { context: this.#context, identifier: `floe:${name}` },
    );
    this.#parts.set(name, module);
    return module;
  }

  /** Code of the engine's modules that are not in the script, without their types, by the sha256 of their text. */
  strippedModules(): Readonly<Record<string, string>> {
    const text = readOptional(this.#stripped)?.toString("utf8");
    return text === undefined ? {} : (JSON.parse(text) as Record<string, string>);
  }

  /** All functions that ran until now, as compiled. */
  code(): Buffer {
    return this.#script.createCachedData();
  }
}

function readOptional(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
