import { isUtf8 } from "node:buffer";
import { readdirSync } from "node:fs";
import { type Context, SourceTextModule, SyntheticModule, type Module } from "node:vm";
import { didYouMean } from "../../../base/index.ts";
import { EXPRESSION_PLACE } from "../inside/expression-place.ts";
import type { Expression, FileRead, Mount } from "../protocol.ts";
import { expressionModule, movedUp } from "./expression-module.ts";
import { findImport, findText, LoadError, type Place, tooDeep } from "./load-error.ts";
import { codeOfJson, ModuleCode, type ModuleCodeOptions, stripWith } from "./module-code.ts";
import { type Located, type Mounts, SourceRefused } from "./mounts.ts";

/** What modules are loaded from. */
export interface LoaderSources {
  readonly mounts: Mounts;
  /** Folder that holds `core`. */
  readonly engine: Mount;
}

export interface LoaderOptions extends LoaderSources, ModuleCodeOptions {
  readonly context: Context;
  readonly hostCalls: Readonly<Record<string, unknown>>;
  /** Called for `import(…)`; throws an error of the realm. */
  readonly refuseImport: (specifier: string) => never;
  /** The function of `inside/own-function.ts`, as the realm has it. */
  readonly ownFunction: () => unknown;
}

/** Functions that take files beside the one that calls, by the parts of the engine that have them. Each source has its own. */
const TAKE_FILES: Readonly<Record<string, readonly string[]>> = {
  derivation: ["local", "localModules"],
  flake: ["importLazily", "importSync"],
  program: ["defineProgram"],
};

/** Largest module, in bytes: types of larger ones would take longer to strip than an evaluation may last. */
export const MAX_MODULE_BYTES = 4 * 1024 * 1024;

/** A module that is made from a text. */
interface Loaded {
  readonly text: string;
  /** What is compiled. */
  readonly code: string;
  /** The file as it was when it was read. */
  file: FileRead;
  module: SourceTextModule;
  /** What it imports, in the order of its requests. */
  imports: readonly Imported[];
  /** What it was linked to; absent before. What it imports may have been made anew since. */
  linked?: readonly Module[];
}

/** A module that is loaded, or one that the engine makes. */
type Imported = Loaded | Module;

/** Loads modules of the evaluation: from sources, as text, each once. */
export class Loader {
  readonly #options: LoaderOptions;
  readonly #code: ModuleCode;
  #sources: LoaderSources;
  readonly #loaded = new Map<string, Loaded>();
  /** Loaded before, and to be used again where it is still the same. */
  readonly #ready = new Map<string, Loaded>();
  #toLink: Loaded[] = [];
  #madeSome = false;
  #hasPreloaded = false;
  readonly #host: Module;
  readonly #own: Module;
  /** Parts of the engine as a source has them, by both. */
  readonly #owned = new Map<string, { readonly part: Module; readonly module: Module }>();
  /** Parts of the engine that were imported, by names and who imports, and those of them that nobody has taken yet. */
  readonly #imported = new Map<string, Imported>();
  #floors: Imported[] = [];
  #partNames: readonly string[] | undefined;
  readonly #inside: string;
  readonly #refuseImport: (specifier: string) => never;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#code = new ModuleCode(options);
    this.#refuseImport = (specifier) => options.refuseImport(specifier);
    this.#sources = options;
    this.#inside = `${options.engine.path}/core/host/evaluator/inside`;
    this.#host = new SyntheticModule(
      Object.keys(options.hostCalls),
      function (this: SyntheticModule) {
        for (const [name, value] of Object.entries(options.hostCalls)) this.setExport(name, value);
      },
      { context: options.context, identifier: "floe:host" },
    );
    this.#own = new SyntheticModule(
      ["ownFunction"],
      function (this: SyntheticModule) {
        this.setExport("ownFunction", options.ownFunction());
      },
      { context: options.context, identifier: "floe:own" },
    );
  }

  /**
   * Load a file with all it imports, without running any of it.
   *
   * @throws {LoadError} or a `SyntaxError`, whose place the runtime tells only when nobody catches it.
   */
  load(path: string): SourceTextModule {
    return this.#linked(() => this.#load(path, this.#sources.mounts.find(path), undefined)) as SourceTextModule;
  }

  /**
   * Load from now on as if nothing were loaded, from sources as they are now. What is still the same, with all that it imports, is
   * not made again.
   */
  renew(sources: LoaderSources): void {
    this.#sources = sources;
    for (const [identifier, loaded] of this.#loaded) this.#ready.set(identifier, loaded);
    this.#loaded.clear();
    this.#imported.clear();
    this.#floors = [];
    this.#partNames = undefined;
    this.#madeSome = false;
    this.#hasPreloaded = false;
  }

  /** Whether since the last {@link renew} a module was made of a text that was not there before. */
  get madeSome(): boolean {
    return this.#madeSome;
  }

  /** Run a loaded file, once; throws what it throws. */
  run(module: Module): Module {
    // Without waiting at the top level, all of it has run when the call returns.
    void module.evaluate().catch(() => {});
    if (module.status === "errored") throw module.error;
    return module;
  }

  /**
   * Make a module of an expression: its export is the expression itself, or a function of the outputs that gives its value.
   *
   * @throws {LoadError} or a `SyntaxError`
   */
  loadExpression(expression: Expression): SourceTextModule {
    const { text, before } = expressionModule(expression);
    let code: string;
    try {
      code = stripWith(this.#options.stripTypes, EXPRESSION_PLACE, text);
    } catch (error) {
      throw error instanceof LoadError ? new LoadError(movedUp(error.report, before, expression.text)) : error;
    }
    const module = new SourceTextModule(code, {
      context: this.#options.context,
      identifier: EXPRESSION_PLACE,
      lineOffset: -before,
      importModuleDynamically: this.#refuseImport,
    });
    if (module.moduleRequests.length > 0 || module.hasTopLevelAwait()) {
      throw new LoadError({
        code: "evaluation.import-refused",
        message: "Cannot use the expression: found an import or an await, expected an expression of its own",
        at: { file: EXPRESSION_PLACE, line: 1, column: 1 },
      });
    }
    module.linkRequests([]);
    module.instantiate();
    return module;
  }

  /**
   * Load a file that another one names while the evaluation runs, with all it imports. Errors as {@link load}; one that is of the import
   * itself has no place, for that is where the importer stands.
   *
   * @param importer Its place.
   */
  loadLater(importer: string, specifier: string): SourceTextModule {
    const mount = this.#sources.mounts.find(importer);
    const refuse = (found: string, hint: string): LoadError =>
      new LoadError({
        code: "evaluation.import-refused",
        message: `Cannot import "${specifier}": ${found}`,
        hint,
      });
    if (mount === undefined) throw refuse("it is asked for by no file", "Call importSync() in a file of the flake.");
    let loaded: Imported | undefined;
    try {
      const module = this.#linked(() => (loaded = this.#import(specifier, {}, importer, "", mount)));
      const running = loaded === undefined ? undefined : findRunning(loaded);
      if (running === undefined) return module as SourceTextModule;
      throw refuse(
        running === module.identifier
          ? "it is being loaded just now"
          : `it imports "${running}", which is being loaded just now`,
        "Call importSync() inside of a function or getter, which runs once all files are loaded.",
      );
    } catch (error) {
      if (!(error instanceof LoadError) || error.report.at?.file !== importer) throw error;
      const { at: _, ...report } = error.report;
      throw new LoadError(report);
    }
  }

  /**
   * Read and compile files that will most likely be loaded later, with all they import. None of them counts as read before it is, and
   * what is wrong with one is told then.
   */
  preload(paths: readonly string[]): void {
    if (this.#hasPreloaded) return;
    this.#hasPreloaded = true;
    const before = new Set(this.#loaded.keys());
    const imported = [...this.#imported];
    const floors = this.#floors;
    const sources = this.#sources;
    this.#floors = [];
    this.#sources = { ...sources, mounts: sources.mounts.withoutReads() };
    for (const path of paths) {
      try {
        this.load(path);
      } catch {
        // It is told when the file is asked for.
      }
    }
    for (const [identifier, loaded] of this.#loaded) {
      if (before.has(identifier)) continue;
      this.#loaded.delete(identifier);
      this.#ready.set(identifier, loaded);
    }
    this.#imported.clear();
    for (const [specifier, module] of imported) this.#imported.set(specifier, module);
    this.#floors = floors;
    this.#sources = sources;
  }

  /** Parts of the engine that were imported as `#floe/…` since this was last asked. */
  takeFloors(): Module[] {
    const floors = this.#floors;
    this.#floors = [];
    return floors.map(moduleOf);
  }

  /**
   * The files that a loaded module of configuration is made of, itself first: all that it imports, and that these import. `others` are
   * imports of what is no file, or lies behind a symbolic link.
   *
   * @throws {SourceRefused} `source.missing`
   */
  filesOf(path: string): { files: string[]; others: { name: string; at: Place }[] } {
    if (!this.#loaded.has(path))
      throw new SourceRefused("source.missing", `Cannot find "${path}": it is no module that was loaded`);
    const files = new Set([path]);
    const others: { name: string; at: Place }[] = [];
    for (const file of files) {
      const { module, text } = this.#loaded.get(file) as Loaded;
      for (const { specifier } of module.moduleRequests) {
        const target = specifier.startsWith("#") ? undefined : resolve(file, specifier);
        if (target !== undefined && this.#loaded.has(target)) files.add(target);
        else others.push({ name: specifier, at: { file, ...findImport(text, specifier) } });
      }
    }
    return { files: [...files], others };
  }

  /** A module that is loaded with all it imports, ready to run. */
  #linked(load: () => Imported): Module {
    this.#toLink = [];
    let loaded: Imported;
    try {
      loaded = load();
    } catch (error) {
      // What imports the faulty one is no module yet.
      for (const each of this.#toLink) {
        this.#loaded.delete(each.module.identifier);
        this.#ready.set(each.module.identifier, each);
      }
      this.#imported.clear();
      throw error;
    }
    const all = this.#toLink.reverse();
    // A module is linked once: what leads to one that is new is made anew as well.
    const isOutdated = ({ imports, linked }: Loaded): boolean =>
      linked !== undefined &&
      imports.some((each, i) => moduleOf(each) !== linked[i] || ("imports" in each && each.linked === undefined));
    for (let outdated = all.filter(isOutdated); outdated.length > 0; outdated = all.filter(isOutdated)) {
      for (const each of outdated) {
        each.module = this.#compileScript(each.module.identifier, each.code);
        delete each.linked;
      }
    }
    const unlinked = all.filter(({ linked }) => linked === undefined);
    for (const each of unlinked) {
      each.linked = each.imports.map(moduleOf);
      each.module.linkRequests(each.linked);
    }
    const module = moduleOf(loaded);
    if (module instanceof SourceTextModule && module.status === "unlinked") module.instantiate();
    return module;
  }

  #load(path: string, from: Mount | undefined, importedAt: (() => Place) | undefined): Loaded {
    const orRefuse = <T>(run: () => T): T => {
      try {
        return run();
      } catch (error) {
        if (!(error instanceof SourceRefused)) throw error;
        throw new LoadError({
          code: error.code.replace(/^source\./, "evaluation.import-"),
          message: error.message.replace("Cannot read", importedAt === undefined ? "Cannot load" : "Cannot import"),
          at: importedAt?.() ?? { file: path, line: 1, column: 1 },
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        });
      }
    };
    const { mounts } = this.#sources;
    const guess = mounts.guess(path, from);
    const guessed =
      guess === undefined
        ? undefined
        : this.#loadAt(guess, () => orRefuse(() => mounts.tryRead(guess, MAX_MODULE_BYTES)));
    if (guessed !== undefined) return guessed;
    const located = orRefuse(() => mounts.locate(path, from));
    return this.#loadAt(located, () => orRefuse(() => mounts.read(located, MAX_MODULE_BYTES))) as Loaded;
  }

  /** @returns `undefined` where there is nothing to read after all. */
  #loadAt(located: Located, read: () => Buffer | undefined): Loaded | undefined {
    const { mounts } = this.#sources;
    const identifier = located.relative === "" ? located.mount.path : `${located.mount.path}/${located.relative}`;
    const known = this.#loaded.get(identifier);
    if (known !== undefined) return known;
    const ready = this.#ready.get(identifier);
    const isStill = ready !== undefined && mounts.isStill(located, ready.file);
    const bytes = isStill ? undefined : read();
    if (bytes === undefined && !isStill) return undefined;
    const file = mounts.reads.get(located.hostPath) as FileRead;
    const loaded =
      ready !== undefined && (bytes === undefined || file.sha256 === ready.file.sha256)
        ? this.#reuse(ready, file)
        : this.#make(identifier, bytes as Buffer, file);
    this.#loaded.set(identifier, loaded);
    this.#toLink.push(loaded);
    if (loaded.module.hasTopLevelAwait()) {
      throw new LoadError({
        code: "evaluation.top-level-await",
        message: `Cannot load "${identifier}": it waits (await) outside of a function, expected a module that is ready at once`,
        at: { file: identifier, ...findText(loaded.text, /\bawait\b/) },
        hint: "An evaluation does not wait: take the await away, and make what it waits for a plain function.",
      });
    }
    loaded.imports = loaded.module.moduleRequests.map((request) =>
      this.#import(request.specifier, request.attributes, identifier, loaded.text, located.mount),
    );
    return loaded;
  }

  /** What is ready of a text that is still the same. */
  #reuse(ready: Loaded, file: FileRead): Loaded {
    const { identifier, status } = ready.module;
    ready.file = file;
    if (status !== "linked") {
      ready.module = this.#compileScript(identifier, ready.code);
      delete ready.linked;
    }
    return ready;
  }

  /** @throws {LoadError} or a `SyntaxError` */
  #make(identifier: string, bytes: Buffer, file: FileRead): Loaded {
    this.#madeSome = true;
    const text = bytes.toString("utf8");
    if (!isUtf8(bytes)) {
      throw new LoadError({
        code: "evaluation.not-text",
        message: `Cannot load "${identifier}": its bytes are not UTF-8, expected a text`,
        at: { file: identifier, ...findText(text, /\ufffd/) },
      });
    }
    const { code, module } = this.#compile(identifier, text, file.sha256);
    return { text, code, file, module, imports: [] };
  }

  /** What configuration may import of Floe. */
  #parts(): readonly string[] {
    this.#partNames ??= [...readdirSync(`${this.#sources.engine.hostPath}/core`), "vm-test"].filter(
      (name) => name !== "host",
    );
    return this.#partNames;
  }

  #import(
    specifier: string,
    attributes: { readonly type?: string | undefined },
    importer: string,
    text: string,
    from: Mount,
  ): Imported {
    const place = (): Place => ({ file: importer, ...findImport(text, specifier) });
    const refuse = (found: string, hint?: string): LoadError =>
      new LoadError({
        code: "evaluation.import-refused",
        message: `Cannot import "${specifier}": ${found}`,
        at: place(),
        ...(hint === undefined ? {} : { hint }),
      });
    const { engine } = this.#sources;
    const type = attributes.type;
    const imported = `${specifier} ${from.path}`;
    const known = type === undefined ? this.#imported.get(imported) : undefined;
    if (known !== undefined) return known;
    if (type !== undefined && type !== "json") throw refuse(`the import type "${type}" is not known, expected "json"`);
    if (specifier === "floe:host" && importer.startsWith(`${this.#inside}/`)) return this.#host;
    if (specifier.startsWith("#floe/")) {
      const floor = specifier.slice("#floe/".length);
      const parts = this.#parts();
      if (!parts.includes(floor)) {
        const near = didYouMean(
          specifier,
          parts.map((part) => `#floe/${part}`),
        );
        throw refuse("there is no such part of Floe", near ?? `The parts are ${parts.join(", ")}.`);
      }
      const path = floor === "vm-test" ? `${engine.path}/vm-tests/index.ts` : `${engine.path}/core/${floor}/index.ts`;
      const part = this.#options.image?.part(floor) ?? this.#load(path, engine, place);
      this.#floors.push(part);
      const module = Object.hasOwn(TAKE_FILES, floor) ? this.#ownedPart(floor, moduleOf(part), from) : part;
      this.#imported.set(imported, module);
      return module;
    }
    if (specifier === "node:crypto" && importer.startsWith(`${engine.path}/core/base/`))
      return this.#load(`${this.#inside}/crypto.ts`, engine, place);
    if (specifier === "node:module" && importer === `${engine.path}/core/flake/import-sync.ts`)
      return this.#load(`${this.#inside}/module.ts`, engine, place);
    if (!/^\.{1,2}\//.test(specifier)) {
      throw refuse(
        "an evaluation can only import files of its own source and parts of Floe",
        specifier.startsWith("node:")
          ? "Programs run in derivations; configuration is pure data and functions."
          : 'Write a relative path ("./name.ts"), or "#floe/package" and the like.',
      );
    }
    const target = resolve(importer, specifier);
    if (this.#sources.mounts.find(target, from) !== from)
      throw refuse(`it leaves the source "${from.path}"`, "Files of another source are reached through inputs.");
    if (type === undefined && !/\.(ts|mts|js|mjs|json)$/.test(target))
      throw refuse(
        "the name has no ending of a module, expected .ts, .js or .json",
        `Write: "${this.#withEnding(specifier, target, from)}"`,
      );
    if (target.endsWith(".json") && type !== "json")
      throw refuse("data is imported with its type", `Write: import … from "${specifier}" with { type: "json" }`);
    if (from !== engine) return this.#load(target, from, place);
    // Floe's own flake may reach its parts by their files.
    const name = /^\/core\/([^/]+)\/index\.ts$/.exec(target.slice(engine.path.length))?.[1];
    return (name === undefined ? undefined : this.#part(name)) ?? this.#load(target, from, place);
  }

  /** A part of the engine as a source has it. */
  #ownedPart(name: string, part: Module, source: Mount): Module {
    const key = `${name} ${source.path}`;
    const known = this.#owned.get(key);
    if (known?.part === part) return known.module;
    const own = (TAKE_FILES[name] as readonly string[]).map(
      (each) => `export const ${each} = ownFunction("${each}", part.${each}, ${JSON.stringify(source.path)});`,
    );
    const code = `import { ownFunction } from "own";\nimport * as part from "part";\nexport * from "part";\n${own.join("\n")}`;
    const module = new SourceTextModule(code, { context: this.#options.context, identifier: `floe:${name}` });
    module.linkRequests([this.#own, part]);
    this.#owned.set(key, { part, module });
    return module;
  }

  /** What is meant by a name without an ending: a file of that name, or the one that a folder of that name begins with. */
  #withEnding(specifier: string, target: string, source: Mount): string {
    const ending = [".ts", "/index.ts", ".js", "/index.js"].find((each) => {
      try {
        this.#sources.mounts.locate(trimmed(target) + each, source);
        return true;
      } catch (error) {
        if (error instanceof SourceRefused) return false;
        throw error;
      }
    });
    return trimmed(specifier) + (ending ?? ".ts");
  }

  /** A part of the engine out of its bundle; `undefined` where there is none. */
  #part(name: string): Module | undefined {
    const part = this.#options.image?.part(name);
    if (part !== undefined) this.#floors.push(part);
    return part;
  }

  #compile(identifier: string, text: string, sha256: string): Pick<Loaded, "code" | "module"> {
    const compiled = (code: string): Pick<Loaded, "code" | "module"> => ({
      code,
      module: this.#compileScript(identifier, code),
    });
    if (identifier.endsWith(".json")) return compiled(codeOfJson(identifier, text));
    if (/\.(m?js)$/.test(identifier)) return compiled(text);
    if (this.#code.maySkip(identifier, text, sha256)) {
      try {
        return compiled(text);
      } catch (error) {
        // What is wrong with it, if anything, is told once its types are gone.
        if ((error as Error).name !== "SyntaxError") throw error;
      }
    }
    return compiled(this.#code.strip(identifier, text, sha256));
  }

  #compileScript(identifier: string, code: string): SourceTextModule {
    const { context, engine } = this.#options;
    const importModuleDynamically = this.#refuseImport;
    try {
      return new SourceTextModule(
        code,
        identifier.startsWith(`${engine.path}/`)
          ? { context, identifier, importModuleDynamically, initializeImportMeta }
          : { context, identifier, importModuleDynamically },
      );
    } catch (error) {
      // Nobody catches a syntax error, which has its place then; the other one comes of brackets inside each other.
      if ((error as Error).name !== "RangeError") throw error;
      throw tooDeep(identifier);
    }
  }
}

/** The engine tells its own frames from those of its users by this, and finds files beside it. */
function initializeImportMeta(meta: object, { identifier }: Module): void {
  (meta as { url?: string }).url = `file://${encodeURI(identifier)}`;
}

function moduleOf(imported: Imported): Module {
  return "imports" in imported ? imported.module : imported;
}

/** A module of those that this one leads to that is running just now, which V8 can run no other one beside. */
function findRunning(loaded: Imported): string | undefined {
  const seen = new Set<Imported>([loaded]);
  for (const each of seen) {
    const { identifier, status } = moduleOf(each);
    if (status === "evaluating") return identifier;
    // What ran to its end leads to nothing that runs.
    if (status !== "linked" || !("imports" in each)) continue;
    for (const next of each.imports) seen.add(next);
  }
  return undefined;
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, "");
}

function resolve(importer: string, specifier: string): string {
  const folder = importer.slice(0, importer.lastIndexOf("/"));
  // Beside the importer, as most are.
  if (specifier.startsWith("./") && !/\/\.{0,2}(?:\/|$)/.test(specifier.slice(1)))
    return `${folder}/${specifier.slice(2)}`;
  const parts = folder.split("/");
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
