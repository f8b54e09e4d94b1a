/**
 * The open interfaces that modules extend, one per option namespace.
 *
 * A module that declares `services.nginx` adds what it gives and what it takes:
 *
 *     declare module "#floe/module" {
 *       interface ServicesConfig { readonly nginx: Nginx }
 *       interface ServicesDefs { nginx?: NginxDefs }
 *     }
 *
 * A new root namespace is added to {@link Config} and {@link Defs} in the same way.
 */

/** What `config.services` gives: merged and complete. */
export interface ServicesConfig {}
/** What a definition may say under `services`. */
export interface ServicesDefs {}

/** What `config.programs` gives. */
export interface ProgramsConfig {}
/** What a definition may say under `programs`. */
export interface ProgramsDefs {}

/** The merged configuration, as rules read it. */
export interface Config {
  readonly services: ServicesConfig;
  readonly programs: ProgramsConfig;
}

/** What one definition may say: every option optional, nothing else allowed. */
export interface Defs {
  services?: ServicesDefs | undefined;
  programs?: ProgramsDefs | undefined;
}

/** Values that every rule receives besides its configuration, such as `pkgs`. */
export interface ModuleArguments {}
