import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { type Generation, generationLinkName, parseGenerationLinkName, planGeneration } from "../../profile/index.ts";

/** A profile in the file system: `<directory>/<name>` and `<directory>/<name>-N-link`. */
export class Profile {
  readonly directory: string;
  readonly name: string;

  /** @param directory Such as `/nix/var/nix/profiles`. @param name Such as `system`. */
  constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
  }

  /** The link that is the profile. */
  get path(): string {
    return join(this.directory, this.name);
  }

  /** The link of one generation. */
  linkPath(number: number): string {
    return join(this.directory, generationLinkName(this.name, number));
  }

  /** All generations by number; empty when the profile does not exist. */
  list(): Generation[] {
    const current = readLink(this.path);
    return listDirectory(this.directory)
      .flatMap((file) => {
        const number = parseGenerationLinkName(this.name, file);
        const path = join(this.directory, file);
        const target = number === undefined ? undefined : readLink(path);
        if (number === undefined || target === undefined) return [];
        return [{ number, target, date: lstatSync(path).mtime, current: current === file || current === path }];
      })
      .sort((a, b) => a.number - b.number);
  }

  /**
   * Make a generation, or find that the newest one is the same. The profile does not point to it yet.
   *
   * @returns its number, and whether it is new.
   */
  create(target: string): { readonly number: number; readonly created: boolean } {
    const planned = planGeneration(this.list(), target);
    if (planned.kind === "reuse") return { number: planned.number, created: false };
    replaceLink(this.linkPath(planned.number), target);
    return { number: planned.number, created: true };
  }

  /**
   * Let the profile point to a generation, by one rename.
   *
   * @throws {CodedError} `profile.no-generation`
   */
  switchTo(number: number): void {
    this.get(number);
    replaceLink(this.path, generationLinkName(this.name, number));
  }

  /** @throws {CodedError} `profile.no-generation` */
  get(number: number): Generation {
    const all = this.list();
    const found = all.find((one) => one.number === number);
    if (found !== undefined) return found;
    const known = all.map((one) => one.number).join(", ");
    throw new CodedError(
      "profile.no-generation",
      `Cannot find generation ${number} of "${this.path}": found ${known === "" ? "none at all" : known}`,
    );
  }

  /**
   * Forget a generation. Its store path stays until it is collected.
   *
   * @throws {CodedError} as {@link checkDeletable}
   */
  delete(number: number): void {
    this.checkDeletable(number);
    rmSync(this.linkPath(number));
    syncDirectory(this.directory);
  }

  /** @throws {CodedError} `profile.current` for the one that the profile points to; `profile.no-generation` */
  checkDeletable(number: number): void {
    if (!this.get(number).current) return;
    throw new CodedError(
      "profile.current",
      `Cannot delete generation ${number} of "${this.path}": it is the current one`,
      { hint: "Switch to another generation first." },
    );
  }
}

/** Make or change a link so that it is the old or the new one at any instant, and the new one after a power cut. */
export function replaceLink(path: string, target: string): void {
  const temporary = `${path}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Wait until a directory's entries are on the disk. */
export function syncDirectory(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Where a link points to; `undefined` when there is no link. */
export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (["ENOENT", "EINVAL", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
