import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { templateKey } from "./template.ts";
import { defaultTemplateFolder, type TemplateFacts, TemplateStore } from "./template-store.ts";

const root = mkdtempSync(join(tmpdir(), "floe-template-store-test-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

const FACTS: TemplateFacts = { machine: "web", architecture: "x86_64", accelerator: "tcg" };
const KEY = templateKey(["one"]);

const make =
  (text: string, sizeBytes = 0) =>
  async (folder: string): Promise<TemplateFacts> => {
    writeFileSync(join(folder, "state"), text.padEnd(sizeBytes));
    return FACTS;
  };

test("hold() makes a template once, and tells who uses it what it is", async () => {
  const store = new TemplateStore(join(root, "once"));
  let made = 0;
  const count = async (folder: string): Promise<TemplateFacts> => {
    made += 1;
    await sleep(50);
    return make("it")(folder);
  };
  const held = await Promise.all([1, 2, 3].map(() => store.hold(KEY, count)));
  assert.is(made, 1);
  assert.equal(
    held.map(({ facts }) => facts),
    [FACTS, FACTS, FACTS],
  );
  assert.ok(existsSync(join(held[0]?.folder ?? "", "state")));
  // In use: it stays, whoever asks.
  assert.is(store.remove(KEY), false);
  for (const each of held) each.release();
  held[0]?.release();
  assert.equal(
    store.list().map(({ key, machine }) => [key, machine]),
    [[KEY, "web"]],
  );
  assert.is(store.remove(KEY), true);
  assert.is(store.remove(KEY), true, "what is not there is gone");
  assert.equal(store.list(), []);
});

test("hold() leaves nothing of a template that could not be made, and the next one may try", async () => {
  const store = new TemplateStore(join(root, "failing"));
  const failing = async (folder: string): Promise<TemplateFacts> => {
    writeFileSync(join(folder, "state"), "half");
    throw new Error("it does not boot");
  };
  const failure = await store.hold(KEY, failing).catch((error: Error) => error.message);
  assert.is(failure, "it does not boot");
  assert.equal(readdirSync(store.folder).sort(), [`${KEY}.lock`, `${KEY}.make`]);
  (await store.hold(KEY, make("whole"))).release();
  assert.is(store.list().length, 1);
});

test("a machine that cannot be copied is remembered as such", async () => {
  const store = new TemplateStore(join(root, "refused"));
  const refused = "its units did not settle";
  (await store.hold(KEY, async () => ({ ...FACTS, refused }))).release();
  const held = await store.hold(KEY, () => assert.unreachable("it is known") as never);
  assert.is(held.facts.refused, refused);
  held.release();
});

test("trim() removes what was not used for longest, and not what is in use", async () => {
  const store = new TemplateStore(join(root, "trimmed"));
  const keys = ["a", "b", "c", "d"].map((name) => templateKey([name]));
  const used = await store.hold(keys[0] as string, make("a", 100_000));
  for (const [index, key] of keys.slice(1).entries()) {
    (await store.hold(key, make("x", 100_000))).release();
    const time = new Date(Date.now() - (10 - index) * 60_000);
    utimesSync(join(store.folder, key, "template.json"), time, time);
  }
  utimesSync(join(used.folder, "template.json"), new Date(0), new Date(0));
  new TemplateStore(store.folder, { limitBytes: 250_000 }).trim();
  // The oldest is in use and stays; of the others the newest two fit.
  assert.equal(
    store.list().map(({ key }) => key),
    [keys[3], keys[2], keys[0]],
  );
  used.release();
});

test("two processes that want the same template make it once, and a maker that was killed leaves nothing", async () => {
  const folder = join(root, "shared");
  mkdirSync(folder);
  const program = (body: string): string => `
    import { appendFileSync, writeFileSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    const { TemplateStore } = await import(${JSON.stringify(new URL("./template-store.ts", import.meta.url).href)});
    const held = await new TemplateStore(${JSON.stringify(folder)}).hold(${JSON.stringify(KEY)}, async (folder) => {
      ${body}
      return ${JSON.stringify(FACTS)};
    });
    held.release();`;
  const args = (body: string): string[] => ["--input-type=module", "-e", program(body)];
  const killed = spawn(
    process.execPath,
    args(`writeFileSync(folder + "/half", ""); console.log("begun"); await sleep(60_000);`),
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "close");
  assert.is(readdirSync(folder).filter((name) => name.includes(".tmp-")).length, 1);
  const log = join(root, "made.log");
  const body = `appendFileSync(${JSON.stringify(log)}, "made\\n"); await sleep(300); writeFileSync(folder + "/whole", "");`;
  const children = [0, 1].map(() => spawn(process.execPath, args(body), { stdio: ["ignore", "ignore", "inherit"] }));
  const codes = await Promise.all(children.map(async (child) => (await once(child, "close"))[0] as number));
  assert.equal(codes, [0, 0]);
  assert.is(execFileSync("cat", [log], { encoding: "utf8" }), "made\n");
  assert.equal(readdirSync(folder).sort(), [KEY, `${KEY}.lock`, `${KEY}.make`]);
  assert.equal(readdirSync(join(folder, KEY)).sort(), ["template.json", "whole"]);
});

test("defaultTemplateFolder() follows the environment", () => {
  assert.is(defaultTemplateFolder({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/floe/vm-templates");
  assert.is(defaultTemplateFolder({ HOME: "/h" }), "/h/.cache/floe/vm-templates");
});

test("templateKey() is another one for every difference, also of where one fact ends", () => {
  const keys = [["a"], ["a", ""], ["a,"], ["b"], ["a", "b"], ['a","b']].map(templateKey);
  assert.is(new Set(keys).size, keys.length);
});

test.run();
