import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeTextPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { openLocalStore } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

interface Context {
  store: ReturnType<typeof openTemporaryStore>["store"];
  folder: string;
  close: () => void;
}

const test = suite<Context>("batches");

test.before.each((context) => {
  const { store, close } = openTemporaryStore();
  const folder = mkdtempSync(join(tmpdir(), "floe-batches-"));
  for (const name of ["a", "b", "c"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "file"), name);
  }
  Object.assign(context, { store, folder, close });
});
test.after.each(({ folder, close }) => {
  close();
  removeTree(folder);
});

/** What hangs is an error, and not the end of the tests. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  const late = pause(20_000, undefined, { ref: true }).then(() => {
    throw new Error("it hangs");
  });
  return Promise.race([promise, late]);
}

/** What somebody else sees. */
function validElsewhere(root: string): StorePath[] {
  using other = openLocalStore({ root, readOnly: true });
  return other.allPaths();
}

test("batches at once that add the same trees in different orders all end, each with what it added registered", async ({
  store,
  folder,
}) => {
  const add = (name: string): Promise<StorePath> => store.addTree({ name, from: join(folder, name) });
  const orders = ["abc", "cba", "bac", "cab"];
  await soon(
    Promise.all(
      orders.map((order) =>
        store
          .batch(async () => {
            const paths: StorePath[] = [];
            for (const name of order) paths.push(await add(name));
            return paths;
          })
          .then((paths) => {
            const valid = new Set(validElsewhere(store.root));
            for (const path of paths) assert.ok(valid.has(path), path);
          }),
      ),
    ),
  );
  assert.is(store.allPaths().length, 3);
});

test("one batch that adds a tree twice at once ends", async ({ store, folder }) => {
  const one = openTemporaryStore();
  const path = await one.store.addTree({ name: "a", from: join(folder, "a") });
  const info = one.store.queryPathInfo(path) as PathInfo;
  await soon(
    store.batch(() =>
      Promise.all([
        store.addTree({ name: "a", from: join(folder, "a") }),
        store.importNar(info, one.store.readNar(path)),
        store.importNar(info, one.store.readNar(path)),
        store.addTree({ name: "a", from: join(folder, "a") }),
      ]),
    ),
  );
  assert.equal(store.allPaths(), [path]);
  one.close();
});

test("what is added beside a batch does not belong to it", async ({ store, folder }) => {
  const events = new EventEmitter();
  const [begun, end] = [once(events, "begun"), once(events, "end")];
  const failing = store
    .batch(async () => {
      store.addText("inside", "x", []);
      await store.addTree({ name: "b", from: join(folder, "b") });
      events.emit("begun");
      await end;
      throw new Error("stop");
    })
    .catch((error: Error) => error.message);
  await begun;
  assert.equal(validElsewhere(store.root), []);
  assert.is(store.isValid(makeTextPath("inside", "x", [])), false);
  const text = store.addText("beside", "x", []);
  assert.equal(validElsewhere(store.root), [text]);
  const later = store.batch(() => store.addText("later", "x", []));
  events.emit("end");
  assert.is(await failing, "stop");
  const both = [text, await later].sort();
  assert.equal(validElsewhere(store.root), both);
});

test("what a batch leaves at work is registered by itself when the batch has ended", async ({ store }) => {
  let detached: Promise<StorePath> | undefined;
  await store.batch(async () => {
    detached = pause(50).then(() => store.addText("detached", "x", []));
  });
  assert.equal(validElsewhere(store.root), []);
  const path = (await detached) as StorePath;
  assert.equal(validElsewhere(store.root), [path]);
});

test("batches of two processes that add the same trees in different orders end", async ({ store, folder }) => {
  const script = (order: string): string => `
    import { setTimeout as pause } from "node:timers/promises";
    import { openLocalStore } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const store = openLocalStore({ root: ${JSON.stringify(store.root)} });
    await store.batch(async () => {
      for (const name of ${JSON.stringify(order)}) {
        await store.addTree({ name, from: ${JSON.stringify(folder)} + "/" + name });
        // Long enough for the other one to have its first.
        await pause(700);
      }
    });
    store.close();`;
  const children = ["ab", "ba"].map((order) =>
    spawn(process.execPath, ["--input-type=module", "-e", script(order)], { stdio: "inherit" }),
  );
  try {
    const codes = await soon(Promise.all(children.map(async (child) => (await once(child, "exit"))[0])));
    assert.equal(codes, [0, 0]);
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
  assert.is(store.allPaths().length, 2);
});

test.run();
