import { test } from "uvu";
import * as assert from "uvu/assert";
import type { StoryTools } from "../machine.ts";
import { StoryControl, type StoryControlOptions, type StoryState } from "./story-control.ts";

/** A story of three steps, the second with one inside, and what has been done of it. */
function story(options: StoryControlOptions = {}) {
  const done: string[] = [];
  const states: StoryState[] = [];
  const control = new StoryControl({ ...options, onChange: (state) => void states.push(state) });
  const plain = {
    step: async <T>(_name: string, body: () => T | Promise<T>) => body(),
    breakpoint: async () => assert.unreachable("the control takes its place"),
    note: () => {},
  } as unknown as StoryTools;
  const { step, breakpoint } = control.toolsFor(plain);
  const tell = async (): Promise<void> => {
    await step("boots", () => void done.push("boots"));
    await step("serves", async () => {
      await step("a page", () => void done.push("a page"));
      await breakpoint("look at it");
    });
    await step("ends", () => void done.push("ends"));
  };
  return { control, done, states, begin: () => control.begin(tell) };
}

const stopped = (at: string): StoryState => ({ kind: "stopped", at });

test("StoryControl stops before steps that are named, and where the story says so", async () => {
  const { control, done, begin } = story({ breakAt: ["serv*", "never"] });
  begin();
  await control.settled();
  assert.equal(control.state, stopped("serves"));
  assert.equal(done, ["boots"]);
  control.go();
  await control.settled();
  assert.equal(control.state, stopped("look at it"));
  assert.ok(control.go());
  await control.settled();
  assert.equal(control.state, { kind: "passed" });
  assert.equal(done, ["boots", "a page", "ends"]);
  assert.equal(control.stops, [
    { name: "serv*", met: true },
    { name: "never", met: false },
  ]);
  assert.not.ok(control.go(), "there is nothing to go on with");
});

test("StoryControl goes step by step", async () => {
  const { control, begin } = story();
  control.stopAtOnce();
  begin();
  const met: string[] = [];
  for (await control.settled(); control.state.kind === "stopped"; await control.settled()) {
    met.push(control.state.at);
    control.go({ next: true });
  }
  assert.equal(met, ["boots", "serves", "a page", "look at it", "ends"]);
});

test("StoryControl keeps a failure as a state, so that its machines can be looked at", async () => {
  const control = new StoryControl();
  const error = new Error("no");
  control.begin(async () => {
    throw error;
  });
  await control.settled();
  assert.equal(control.state, { kind: "failed", error });
});

test("StoryControl stops steps that run side by side one after the other, and begins a story once", async () => {
  const done: string[] = [];
  const control = new StoryControl({ breakAt: ["*"] });
  const { step } = control.toolsFor({ step: async (_: string, body: () => void) => body() } as unknown as StoryTools);
  const tell = async (): Promise<void> => {
    await Promise.all(["a", "b", "c"].map((name) => step(name, () => void done.push(name))));
  };
  control.begin(tell);
  control.begin(tell);
  for (const name of ["a", "b", "c"]) {
    await control.settled();
    assert.equal(control.state, stopped(name));
    control.go();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await control.settled();
  assert.equal(control.state, { kind: "passed" });
  assert.equal(done, ["a", "b", "c"]);
});

test.run();
