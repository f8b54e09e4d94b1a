import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";
import type { BuildUser, SandboxSpec } from "./spec.ts";

/** Mounts each place from `$1` on over the directory of its number, then runs the rest as the user. */
const SCRIPT = `
root=$1 count=$2 ids=$3; shift 3; number=0
while [ $number -lt $count ]; do mount --bind "$1" "$root/$number" || exit 1; shift; number=$((number + 1)); done
exec setpriv --reuid "\${ids%:*}" --regid "\${ids#*:}" --clear-groups -- "$@"
`;

/** A specification whose places the user of the build can get to, and the words that start a program in view of them. */
export interface Passage {
  readonly spec: SandboxSpec;
  readonly words: readonly string[];
}

/** Ways for users of builds to places in directories that are closed to them, each seen by one program only. */
export class PassageMaker {
  readonly #reachable = new Map<string, boolean>();
  readonly #programs: readonly (string | undefined)[];
  #root: string | undefined;
  #count = 0;

  constructor(path?: string) {
    this.#programs = ["unshare", "sh", "mount", "setpriv"].map((name) => findProgram(name, path));
  }

  /**
   * @returns `undefined` when the user gets everywhere already.
   * @throws {CodedError} `sandbox.unreachable` when there is no program to make a way
   */
  open(spec: SandboxSpec, user: BuildUser): Passage | undefined {
    const own = [dirname(dirname(spec.storeDirectory)), spec.buildDirectory, spec.etcDirectory];
    // Inputs may lie in several stores.
    const places = [...new Set([...own, ...spec.inputs.map(({ from }) => dirname(from))])];
    if (places.every((place) => this.#canReach(dirname(place)))) return undefined;
    if (this.#programs.includes(undefined)) throw unreachable(places);
    const root = this.#makeRoot(places.length);
    const move = (path: string): string => {
      const number = places.findIndex((place) => path === place || path.startsWith(`${place}/`));
      return number === -1 ? path : `${root}/${number}${path.slice((places[number] as string).length)}`;
    };
    const [unshare, sh] = this.#programs as string[];
    return {
      spec: {
        ...spec,
        storeDirectory: move(spec.storeDirectory),
        buildDirectory: move(spec.buildDirectory),
        etcDirectory: move(spec.etcDirectory),
        inputs: spec.inputs.map(({ from, to }) => ({ from: move(from), to })),
      },
      words: [
        ...[unshare as string, "--mount", "--propagation", "private", "--", sh as string, "-c", SCRIPT, "passage"],
        ...[root, String(places.length), `${user.uid}:${user.gid}`, ...places],
      ],
    };
  }

  close(): void {
    if (this.#root === undefined) return;
    for (let number = 0; number < this.#count; number++) rmdirSync(`${this.#root}/${number}`);
    rmdirSync(this.#root);
    this.#root = undefined;
    this.#count = 0;
  }

  #canReach(directory: string): boolean {
    const known = this.#reachable.get(directory);
    if (known !== undefined) return known;
    const isOpen = (statSync(directory).mode & 0o001) !== 0;
    const found = isOpen && (directory === "/" || this.#canReach(dirname(directory)));
    this.#reachable.set(directory, found);
    return found;
  }

  /** Everybody gets to `/run`; the directory of temporary files may be a closed one. */
  #makeRoot(count: number): string {
    if (this.#root === undefined) {
      this.#root = mkdtempSync("/run/floe-passage-");
      chmodSync(this.#root, 0o711);
    }
    for (; this.#count < count; this.#count++) mkdirSync(`${this.#root}/${this.#count}`);
    return this.#root;
  }
}

function unreachable(places: readonly string[]): CodedError {
  return new CodedError(
    "sandbox.unreachable",
    `Cannot build as a user of its own: a directory above "${places.join('", "')}" is closed to others`,
    {
      hint: "Install util-linux and mount, which make a way there, or a C compiler, and run `npm run setup`: floe-sandbox needs none.",
      exitCode: 100,
    },
  );
}
