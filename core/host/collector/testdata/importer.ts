/**
 * `node importer.ts ROOT SEED MILLISECONDS`: keep adding objects to a store, let go of them from time to time, and look all the
 * while that what we hold is there. Ends with status 1 when something was lost. The objects are the same in every process.
 */
import { readFileSync } from "node:fs";
import type { StorePath } from "../../../store/index.ts";
import { type LocalStore, openLocalStore } from "../../local-store/index.ts";

const [root, seed, milliseconds] = process.argv.slice(2) as [string, string, string];
const ends = performance.now() + Number(milliseconds);
const OBJECTS = 60;
const contentsOf = (number: number): string => `object ${number}\n`.repeat(number);

let state = Number(seed);
function random(below: number): number {
  state = (state * 1103515245 + 12345) % 2 ** 31;
  return Math.floor((state / 2 ** 31) * below);
}

/** Object `n` refers to the one of half its number, so that closures overlap. */
function add(store: LocalStore, number: number, held: Map<StorePath, number>): StorePath {
  const references = number === 0 ? [] : [add(store, Math.floor(number / 2), held)];
  const path = store.addText(`object-${number}`, contentsOf(number), references);
  held.set(path, number);
  return path;
}

function check(store: LocalStore, held: ReadonlyMap<StorePath, number>): void {
  for (const [path, number] of held) {
    if (!store.isValid(path)) throw new Error(`${path} is not valid any more, but we hold it`);
    if (readFileSync(store.realPath(path), "utf8") !== contentsOf(number)) throw new Error(`${path} is not what it was`);
  }
}

let added = 0;
while (performance.now() < ends) {
  using store = openLocalStore({ root });
  const held = new Map<StorePath, number>();
  for (let turn = 0; turn < 8 && performance.now() < ends; turn++) {
    add(store, random(OBJECTS), held);
    // Some turns add several at once.
    if (random(3) === 0) {
      await store.batch(() => {
        for (let i = 0; i < 4; i++) add(store, random(OBJECTS), held);
      });
    }
    check(store, held);
    added += held.size;
    await new Promise((resolve) => setTimeout(resolve, random(20)));
  }
  check(store, held);
}
console.log(added);
