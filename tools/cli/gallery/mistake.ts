import type { TestRepository } from "../../../core/host/git/testing.ts";

/** Stands in the text of a mistake right before the place that its message has to begin with; it is no part of the text. */
export const MARK = "▸";

/** A mistake as somebody makes it, for the gallery of errors. */
export interface Mistake {
  readonly heading: string;
  /**
   * Files of the user's folder by name, those to be shown first. One of them has a {@link MARK}, unless the mistake lies in the command;
   * a later text takes the place of one that the section gives.
   */
  readonly files?: Readonly<Record<string, string>>;
  /** What follows `floe`. */
  readonly command: readonly string[];
  /** Files that are there without being shown. */
  readonly hidden?: Readonly<Record<string, string>>;
  /** Further preparation, said in {@link said}. */
  readonly prepare?: (world: World) => void | Promise<void>;
  /** Words for the reader about what is not to be seen in the files. */
  readonly said?: string;
  /** Without a mark: what the first line of the message has to name. Default: one of the command's words. */
  readonly names?: string;
  /** Whether the command has to do with a store. Default true. */
  readonly store?: boolean;
  /** Default 1. */
  readonly exitCode?: number;
  /** Lines of the user's settings, as JSON. */
  readonly settings?: object;
}

export interface Section {
  readonly heading: string;
  readonly words: string;
  /** Files that lie beside those of each mistake, shown once. */
  readonly files?: Readonly<Record<string, string>>;
  readonly mistakes: readonly Mistake[];
}

/** Where a mistake is made. */
export interface World {
  /** The user's folder. */
  readonly folder: string;
  /** Run `floe` there, as a step before the mistake. @throws when it fails. */
  floe(...words: string[]): Promise<void>;
  write(files: Readonly<Record<string, string>>): void;
  /** Make the folder a repository, with all its files committed. */
  git(): TestRepository;
}

/** A flake without inputs. */
export function flake(outputs: string, imports = ""): string {
  return `import { defineFlake } from "#floe/flake";\n${imports}\nexport default defineFlake({\n  outputs: () => (${outputs}),\n});\n`;
}

/** Where a text is marked, and the text without the mark. */
export function unmark(text: string): { readonly text: string; readonly place: string | undefined } {
  const offset = text.indexOf(MARK);
  if (offset < 0) return { text, place: undefined };
  const before = text.slice(0, offset).split("\n");
  return {
    text: text.slice(0, offset) + text.slice(offset + MARK.length),
    place: `${before.length}:${(before.at(-1) as string).length + 1}`,
  };
}
