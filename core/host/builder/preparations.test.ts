import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseStorePath } from "../../store/index.ts";
import { Preparations } from "./preparations.ts";
import { SpareTime } from "./spare-time.ts";

const test = suite("Preparations");

const build = {
  drvPath: parseStorePath("/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-next.drv"),
  name: "next",
  outputs: [parseStorePath("/nix/store/wxjiwkjkn7x4079qvh1jkl5pn05j2aw0-next")],
};

function open(options: { readonly isTaken?: boolean; readonly isFull?: boolean } = {}) {
  const spareTime = new SpareTime();
  const held = new Set<string>();
  const preparations = new Preparations({
    spareTime,
    lock: async ([path]) => {
      if (options.isTaken === true) return undefined;
      held.add(path as string);
      return { release: () => void held.delete(path as string) };
    },
    openWorkspace: async () => {
      if (options.isFull === true) throw new Error("no space");
      return { topDirectory: "/none/top", storeDirectory: "/none/top/store", buildDirectory: "/none/build" };
    },
  });
  return { spareTime, held, preparations };
}

test("begin() takes locks and makes directories when there is time, for whoever takes them", async () => {
  const { spareTime, held, preparations } = open();
  preparations.begin(build);
  preparations.begin(build);
  assert.is(held.size, 0);
  spareTime.use();
  await Promise.resolve();
  const prepared = await preparations.take(build.drvPath);
  assert.is(prepared?.workspace.topDirectory, "/none/top");
  assert.is(held.size, 1);
  assert.is(await preparations.take(build.drvPath), undefined);
  await preparations.close();
  assert.is(held.size, 1, "it belongs to who took it");
});

test("take() does not wait for what had no time to begin, and it never begins", async () => {
  const { spareTime, held, preparations } = open();
  preparations.begin(build);
  assert.is(await preparations.take(build.drvPath), undefined);
  spareTime.use();
  await new Promise(setImmediate);
  assert.is(held.size, 0);
});

test("drop() gives everything back", async () => {
  const { spareTime, held, preparations } = open();
  preparations.begin(build);
  spareTime.use();
  await new Promise(setImmediate);
  assert.is(held.size, 1);
  preparations.drop();
  await new Promise(setImmediate);
  assert.is(held.size, 0);
  assert.is(await preparations.take(build.drvPath), undefined);
});

test("begin() leaves to the build what fails, and keeps no lock then", async () => {
  for (const options of [{ isTaken: true }, { isFull: true }]) {
    const { spareTime, held, preparations } = open(options);
    preparations.begin(build);
    spareTime.use();
    await new Promise(setImmediate);
    assert.is(await preparations.take(build.drvPath), undefined);
    assert.is(held.size, 0);
  }
});

test.run();
