import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../base/index.ts";
import type { DerivationOptions } from "../derivation/index.ts";
import { type Awaitable, isVerifiablyContentAddressed, type PathInfo, type StorePath } from "../store/index.ts";
import type { BuildEvent, BuildOutcome, BuildRequest, Executor } from "./index.ts";

export interface OpenedExecutor {
  readonly executor: Executor;
  /** A request to run shell text as a builder, in mode `build`; everything it needs is in place. */
  request(script: string, options: Partial<DerivationOptions> & { readonly name: string }): Promise<BuildRequest>;
  queryPathInfo(path: StorePath): Awaitable<PathInfo | undefined>;
  /** Contents of an output that is a single file. */
  readText(path: StorePath): Awaitable<string>;
  /** Outputs that wait for something are registered now. */
  hurry(): void;
  /** Names of what builds left where outputs lie, besides valid outputs. */
  leftovers(): Awaitable<readonly string[]>;
}

/**
 * What everything keeps that carries out build actions. The test file of an implementation calls this once, then runs its own
 * tests.
 *
 * @param open Gives an executor; it is used for all cases.
 */
export function describeExecutor(name: string, open: () => Promise<OpenedExecutor>): void {
  const test = suite<{ opened: OpenedExecutor }>(name);
  test.before(async (context) => {
    context.opened = await open();
  });

  async function execute(
    { executor, hurry }: OpenedExecutor,
    request: BuildRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<{ outcome: BuildOutcome; events: BuildEvent[] }> {
    const events: BuildEvent[] = [];
    const outcome = await executor.execute(request, (event) => void events.push(event), signal);
    hurry();
    if (outcome.kind === "built") await outcome.registered;
    return { outcome, events };
  }
  const lines = (events: readonly BuildEvent[]) =>
    events.flatMap((event) => (event.kind === "log-line" ? event.line : []));
  const codeOf = (outcome: BuildOutcome) => (outcome.kind === "failed" ? outcome.error.code : outcome.kind);
  const wordsOf = (outcome: BuildOutcome) =>
    outcome.kind === "failed" ? [outcome.error.message, ...(outcome.error.details ?? [])].join("\n") : outcome.kind;

  test("what was built is there, complete and registered", async ({ opened }) => {
    const request = await opened.request("echo one; echo $dev > $out; echo dev > $dev", {
      name: "two",
      outputs: ["out", "dev"],
    });
    const { outcome, events } = await execute(opened, request);
    assert.is(outcome.kind, "built", wordsOf(outcome));
    const { outputs } = outcome as BuildOutcome & { kind: "built" };
    assert.equal([...outputs.keys()].sort(), ["dev", "out"]);
    const out = outputs.get("out") as PathInfo;
    const dev = outputs.get("dev") as PathInfo;
    assert.is(out.path, request.drv.outputs["out"]?.path);
    assert.equal(out.references, [dev.path]);
    assert.is(out.deriver, request.drvPath);
    const stored = await opened.queryPathInfo(out.path);
    assert.equal([stored?.narHash, stored?.narSize, stored?.references], [out.narHash, out.narSize, out.references]);
    assert.is(await opened.readText(out.path), `${dev.path}\n`);
    assert.equal(lines(events), ["one"]);
    assert.equal(await opened.leftovers(), []);
  });

  test("what is there is not built again", async ({ opened }) => {
    const request = await opened.request("echo x > $out", { name: "again" });
    assert.is((await execute(opened, request)).outcome.kind, "built");
    const { outcome, events } = await execute(opened, request);
    assert.equal(outcome, {
      kind: "already-valid",
      outputs: new Map([["out", request.drv.outputs["out"]?.path]]),
    });
    assert.equal(lines(events), []);
  });

  test("events are about the derivation that was asked for", async ({ opened }) => {
    const request = await opened.request("echo said; echo x > $out", { name: "asked" });
    const askedAs = request.drvPath.replace("asked", "other") as StorePath;
    const { events } = await execute(opened, { ...request, askedAs });
    assert.ok(events.length > 0);
    for (const event of events) assert.is("drvPath" in event && event.drvPath, askedAs);
  });

  test("a builder that fails is a value, and nothing of it stays", async ({ opened }) => {
    const request = await opened.request("echo bye; echo half > $out; exit 3", { name: "fails" });
    const { outcome, events } = await execute(opened, request);
    assert.is(codeOf(outcome), "build.failed");
    assert.is((outcome as BuildOutcome & { kind: "failed" }).error.exitCode, 100);
    assert.equal(lines(events), ["bye"]);
    assert.is(await opened.queryPathInfo(request.drv.outputs["out"]?.path as StorePath), undefined);
    assert.equal(await opened.leftovers(), []);
  });

  test("an output that is missing or has another content than declared is refused", async ({ opened }) => {
    const missing = await opened.request("echo x > $out", { name: "missing", outputs: ["out", "dev"] });
    assert.is(codeOf((await execute(opened, missing)).outcome), "build.missing-output");
    const hash = formatHash(hashBytes("sha256", "declared"), "sri");
    const wrong = await opened.request("echo other > $out", { name: "wrong", fixed: { method: "flat", hash } });
    const { outcome } = await execute(opened, wrong);
    assert.is(codeOf(outcome), "build.hash-mismatch", wordsOf(outcome));
    assert.is((outcome as BuildOutcome & { kind: "failed" }).error.exitCode, 102);
  });

  test("an output that is addressed by its content gets the path that follows from it", async ({ opened }) => {
    const request = await opened.request("echo floating $out > $out", { name: "floating", contentAddressed: true });
    const { outcome } = await execute(opened, request);
    assert.is(outcome.kind, "built", wordsOf(outcome));
    const out = (outcome as BuildOutcome & { kind: "built" }).outputs.get("out") as PathInfo;
    assert.ok(isVerifiablyContentAddressed(out));
    assert.is(await opened.readText(out.path), `floating ${out.path}\n`);
    assert.ok((await opened.queryPathInfo(out.path)) !== undefined);
  });

  test("comparing tells whether a second build gives the same", async ({ opened }) => {
    const steady = await opened.request("echo steady > $out", { name: "steady" });
    await execute(opened, steady);
    assert.is((await execute(opened, { ...steady, mode: "compare" })).outcome.kind, "built");
    const moving = await opened.request("read now < /proc/sys/kernel/random/uuid; echo $now > $out", {
      name: "moving",
    });
    const { outcome } = await execute(opened, moving);
    assert.is(outcome.kind, "built", wordsOf(outcome));
    const before = (outcome as BuildOutcome & { kind: "built" }).outputs.get("out") as PathInfo;
    const compared = (await execute(opened, { ...moving, mode: "compare" })).outcome;
    assert.is(codeOf(compared), "build.not-deterministic", wordsOf(compared));
    assert.is((compared as BuildOutcome & { kind: "failed" }).error.exitCode, 104);
    assert.equal((await opened.queryPathInfo(before.path))?.narHash, before.narHash);
    assert.equal(await opened.leftovers(), []);
  });

  test("several run at once", async ({ opened }) => {
    const requests = await Promise.all(
      ["a", "b", "c"].map((each) => opened.request(`echo ${each} > $out`, { name: `at-once-${each}` })),
    );
    const ended = await Promise.all(requests.map((request) => execute(opened, request)));
    assert.equal(
      ended.map(({ outcome }) => wordsOf(outcome)),
      ["built", "built", "built"],
    );
  });

  test("a cancelled build ends soon and leaves nothing behind", async ({ opened }) => {
    const request = await opened.request("echo begun; while :; do :; done", { name: "endless" });
    const abort = new AbortController();
    const running = opened.executor.execute(
      request,
      (event) => {
        if (event.kind === "log-line") abort.abort(new Error("enough"));
      },
      abort.signal,
    );
    assert.equal(await running, { kind: "cancelled" });
    const early = new AbortController();
    early.abort(new Error("before it began"));
    assert.equal((await execute(opened, request, early.signal)).outcome, { kind: "cancelled" });
    assert.equal(await opened.leftovers(), []);
  });

  test.run();
}
