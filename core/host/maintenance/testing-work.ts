import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { formatHash, hashBytes, utf8 } from "../../base/index.ts";
import { beginEvaluation, type DerivationValue, derivation, local } from "../../derivation/index.ts";
import { dumpFileNar, formatContentAddress, makeTextPath, type StorePath } from "../../store/index.ts";
import { buildPaths } from "../builder/index.ts";
import { collectGarbage } from "../collector/index.ts";
import { makeSourceHost, symlinkAtomic, syncPath } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { Profile } from "../profile/index.ts";
import { optimiseStore } from "./optimise.ts";
import { rootsOf } from "./testing-ledger.ts";

/** Roots and generations one worker keeps, so that the store stays small. */
const MOST_KEPT = 6;

/** How often a worker takes each step. */
const WEIGHTS = { add: 4, import: 4, build: 4, advance: 3, drop: 3, forget: 2, collect: 1, optimise: 1 };

export type StepName = keyof typeof WEIGHTS;

export interface WorkOptions {
  /** Folder of a chroot store. */
  readonly root: string;
  /** Tells workers on one store apart; each has links and a profile of its own. */
  readonly slot: string;
  readonly seed: number;
  /** A folder with `busybox` to build with; without it what is built is fetched from this process. */
  readonly tools?: string | undefined;
  /** Told one line before what takes something away begins, and one after each thing is done. */
  readonly say: (line: string) => void;
}

/**
 * Work on a store for as long as we live: build, import, add, collect, optimise, change a profile, in random order. It is for tests
 * that kill it, and read in what it said what has to be there afterwards (see `Ledger`).
 */
export async function work(options: WorkOptions): Promise<never> {
  using store = openLocalStore({ root: options.root });
  const worker = new Worker(store, options);
  options.say("ready");
  for (;;) await worker.step();
}

/**
 * Do each of some steps once, also after one has failed.
 *
 * @returns what each of the failed ones failed with.
 */
export async function workOnce(options: WorkOptions, steps: readonly StepName[]): Promise<Map<StepName, unknown>> {
  const failures = new Map<StepName, unknown>();
  using store = openLocalStore({ root: options.root });
  const worker = new Worker(store, options);
  for (const step of steps) {
    try {
      await worker.run(step);
    } catch (error) {
      failures.set(step, error);
    }
  }
  worker.close();
  return failures;
}

class Worker {
  readonly #store: LocalStore;
  readonly #options: WorkOptions;
  readonly #roots: string;
  readonly #profile: Profile;
  readonly #contents = new Map<string, string>();
  #server: Server | undefined;
  #state: number;
  #count = 0;

  constructor(store: LocalStore, options: WorkOptions) {
    this.#store = store;
    this.#options = options;
    this.#roots = rootsOf(store.stateDirectory, options.slot);
    this.#profile = new Profile(join(store.stateDirectory, "profiles"), `work-${options.slot}`);
    this.#state = (options.seed % 2_147_483_646) + 1;
    mkdirSync(this.#roots, { recursive: true });
  }

  /** One of the steps, chosen by weight. */
  async step(): Promise<void> {
    const names = Object.keys(WEIGHTS) as StepName[];
    let left = this.#random(names.reduce((sum, name) => sum + WEIGHTS[name], 0));
    const name = names.find((one) => {
      left -= WEIGHTS[one];
      return left < 0;
    });
    await this.run(name as StepName);
  }

  run(name: StepName): Promise<void> {
    switch (name) {
      case "add":
        return this.#keep(this.#add());
      case "import":
        return this.#keep(this.#import());
      case "build":
        return this.#keep(this.#build());
      case "advance":
        return this.#advance();
      case "drop":
        return this.#drop();
      case "forget":
        return this.#forget();
      case "collect":
        return this.#collect();
      case "optimise":
        return this.#optimise();
    }
  }

  /** Make a root of what was made, then tell. */
  async #keep(made: Promise<StorePath>): Promise<void> {
    const path = await made;
    const name = this.#name();
    symlinkAtomic(path, join(this.#roots, name), { sync: true });
    this.#options.say(`done link ${name} ${path}`);
    if (this.#links().length > MOST_KEPT) await this.#drop();
  }

  async #add(): Promise<StorePath> {
    const from = join(this.#options.root, `work-${this.#options.slot}`);
    rmSync(from, { recursive: true, force: true });
    mkdirSync(join(from, "sub"), { recursive: true });
    writeFileSync(join(from, "own"), this.#text());
    writeFileSync(join(from, "sub/same"), "the same in every tree\n".repeat(100), { mode: 0o755 });
    writeFileSync(join(from, "more"), "x".repeat(this.#random(20_000)));
    return this.#store.addTree({ name: "added", from });
  }

  /** As from another store: with a reference to something this worker keeps. */
  async #import(): Promise<StorePath> {
    const links = this.#links();
    const kept = links.length === 0 ? undefined : this.#target(links[this.#random(links.length)] as string);
    const references = kept === undefined ? [] : [kept];
    const contents = utf8(`${this.#text()} ${references.join(" ")}`);
    const path = makeTextPath("imported", contents, references);
    const nar = dumpFileNar(contents);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield nar;
    }
    const ca = formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) });
    const facts = { narHash: hashBytes("sha256", nar), narSize: nar.length, ca };
    await this.#store.importNar({ path, ...facts, references, signatures: [] }, pieces());
    return path;
  }

  async #build(): Promise<StorePath> {
    const { tools } = this.#options;
    const text = this.#text();
    const evaluation = beginEvaluation(makeSourceHost());
    const common = { system: "x86_64-linux" };
    let value: DerivationValue;
    if (tools === undefined) {
      const hash = formatHash(hashBytes("sha256", text), "sri");
      const env = { url: await this.#serve(text) };
      value = derivation({
        ...common,
        name: "fetched",
        builder: "builtin:fetchurl",
        env,
        fixed: { method: "flat", hash },
      });
    } else {
      const args = ["sh", "-ec", `mkdir $out; echo ${text} > $out/own; echo the same > $out/same`];
      value = derivation({
        ...common,
        name: "built",
        builder: `${local(tools, { name: "tools" })}/busybox`,
        args,
        env: { PATH: "" },
      });
    }
    await this.#store.batch(async () => {
      for (const [expected, source] of evaluation.sources)
        if (source.kind !== "text")
          await this.#store.addTree({ name: source.name, from: source.from, expected: expected as StorePath });
      for (const [path, term] of evaluation.derivations) this.#store.addDerivationText(path, term);
    });
    const targets = [{ drvPath: value.drvPath as StorePath }];
    const report = await buildPaths({ store: this.#store, targets, options: { maxJobs: 1 } });
    if (report.failures[0] !== undefined) throw report.failures[0].error;
    return report.outputs[0] as StorePath;
  }

  /** A new generation of what some root keeps. */
  async #advance(): Promise<void> {
    const links = this.#links();
    if (links.length === 0) return;
    const path = this.#target(links[this.#random(links.length)] as string);
    this.#store.addTempRoot(path);
    const { number } = this.#profile.create(path);
    this.#profile.switchTo(number);
    this.#options.say(`done profile ${number} ${path}`);
  }

  async #drop(): Promise<void> {
    const links = this.#links();
    if (links.length === 0) return;
    const name = links[this.#random(links.length)] as string;
    this.#options.say(`begin drop ${name}`);
    rmSync(join(this.#roots, name));
    syncPath(this.#roots);
    this.#options.say(`done drop ${name}`);
  }

  async #forget(): Promise<void> {
    const old = this.#profile.list().filter(({ current }) => !current);
    if (old.length < 2) return;
    for (const { number } of old.slice(0, -1)) {
      this.#options.say(`begin forget ${number}`);
      this.#profile.delete(number);
      this.#options.say(`done forget ${number}`);
    }
  }

  async #collect(): Promise<void> {
    const { deleted } = await collectGarbage({ root: this.#options.root });
    this.#options.say(`done gc ${deleted}`);
  }

  async #optimise(): Promise<void> {
    const { linked } = await optimiseStore(this.#store, { threads: 1 });
    this.#options.say(`done optimise ${linked}`);
  }

  #links(): string[] {
    return readdirSync(this.#roots).filter((name) => !name.includes(".tmp"));
  }

  #target(name: string): StorePath {
    return readlinkSync(join(this.#roots, name)) as StorePath;
  }

  #name(): string {
    this.#count += 1;
    return `${this.#options.seed}-${this.#count}`;
  }

  #text(): string {
    return `${this.#options.slot} ${this.#options.seed} ${this.#random(1_000_000)}`;
  }

  #random(below: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % below;
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** An address where a text can be fetched. */
  async #serve(text: string): Promise<string> {
    this.#server ??= await this.#listen();
    const place = `/${this.#contents.size}`;
    this.#contents.set(place, text);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${place}`;
  }

  async #listen(): Promise<Server> {
    // Only where it is needed: it is a sixth of what a start costs.
    const { createServer } = await import("node:http");
    return new Promise((resolve) => {
      const server = createServer((request, response) => void response.end(this.#contents.get(request.url ?? "")));
      server.listen(0, "127.0.0.1", () => resolve(server));
    });
  }
}
