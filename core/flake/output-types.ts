import type { LocalSource } from "../derivation/index.ts";
import type { Module } from "../module/index.ts";

/**
 * By the name of a platform: `x86_64-linux`. The names are any text to the compiler: in a literal that a function returns it does not
 * look for names that are too many, but does at their values.
 */
export type ByPlatform<Value> = Readonly<Record<string, Value>>;
export type ByName<Value> = Readonly<Record<string, Value>>;

/** A package, or what `derivation` gives. */
export interface Buildable {
  readonly drvPath: string;
  readonly outPath: string;
}

/** A whole package set, which has builders besides its packages. */
export interface PackageSetLike {
  readonly platform: { readonly system: string };
  // biome-ignore lint/suspicious/noExplicitAny: an interface fits an index signature of this type alone
  readonly [name: string]: any;
}

/** A program of a package: what `floe run` runs. */
export interface App {
  readonly type: "app";
  /** Absolute path of the program, in a package: `${hello}/bin/hello`. */
  readonly program: string;
  /** One line for people. */
  readonly description?: string;
}

/** What `defineOverlay` gives. */
export interface OverlayLike {
  readonly kind: "overlay";
  readonly override: object;
  readonly add: object;
}

/** What `makeSystem` gives. */
export interface SystemLike extends Buildable {
  readonly kind: "system";
  readonly name: string;
  readonly toplevel: Buildable;
}

/** The configured home of a user. */
export interface HomeLike {
  readonly kind: "home";
  readonly name: string;
  /** The store object a generation points to; its `activate` puts the files of the home in place. */
  readonly activation: Buildable;
}

/** What `vmTest` gives. */
export interface VmTestLike {
  readonly type: "vmTest";
  readonly name: string;
  readonly description: string;
  readonly platforms?: readonly string[];
  readonly tags?: readonly string[];
  readonly machines: object;
}

/** Files that a new flake begins with. */
export interface Template {
  /** The folder with the files: `local("./templates/package")`. */
  readonly path: string | LocalSource;
  /** One line for people. */
  readonly description: string;
  /** What is told once the files are there. */
  readonly welcome?: string;
}

/** Outputs of a flake; which of them exist is for their author to say. */
export interface FlakeOutputs {
  /** By platform, then by name. */
  readonly packages?: ByPlatform<ByName<Buildable> | PackageSetLike> | undefined;
  /** Programs, by platform, then by name; `floe run` looks here first. */
  readonly apps?: ByPlatform<ByName<App>> | undefined;
  /** Environments to work in, by platform, then by name: `devShell` of a package set makes one. */
  readonly devShells?: ByPlatform<ByName<Buildable>> | undefined;
  /** By platform, then by name: what has to build. */
  readonly checks?: ByPlatform<ByName<Buildable>> | undefined;
  /** By platform: the package whose main program formats files. */
  readonly formatter?: ByPlatform<Buildable> | undefined;
  /** Changes to a package set, by name; another flake takes them in with `packages["x86_64-linux"].extend(overlay)`. */
  readonly overlays?: ByName<OverlayLike> | undefined;
  /** Modules by name, or one list of all of them. */
  readonly modules?: readonly Module[] | ByName<Module | readonly Module[]> | undefined;
  /** Configured machines by name. */
  readonly systems?: ByName<SystemLike> | undefined;
  /** Configured homes by name. */
  readonly homes?: ByName<HomeLike> | undefined;
  /** Tests on virtual machines by name. */
  readonly vmTests?: ByName<VmTestLike> | undefined;
  /** What new flakes begin with, by name. */
  readonly templates?: ByName<Template> | undefined;
  /** Anything else, for other flakes. */
  readonly [name: string]: unknown;
}
