import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { spinningRom } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../qemu-wrapper/testing.ts";
import { Boot } from "./boot.ts";
import { ownQemus } from "./testing-qemus.ts";
import { forkOf, MOST_ZYGOTES, type Zygote, Zygotes } from "./zygotes.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const root = mkdtempSync(join(tmpdir(), "floe-zygotes-test-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

/** What makes zygotes of a guest that does nothing, and tells what became of them. */
function maker(): { readonly make: () => Promise<Zygote>; made: number; released: number } {
  const told = { made: 0, released: 0, make };
  async function make(): Promise<Zygote> {
    told.made++;
    const folder = mkdtempSync(join(root, "z-"));
    writeFileSync(join(folder, "firmware"), spinningRom());
    const boot = await Boot.start({
      ...{ name: "machine", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1, disks: [], number: 1 },
      ...{ firmware: join(folder, "firmware"), socketFolder: folder, folder },
    });
    boot.expectEnd();
    boot.agent.close();
    return { boot, folder, disks: [], nics: [], release: () => void told.released++ };
  }
  return told;
}

withQemu("hold() has a zygote made when a second test asks for a copy, once for all that wait", async () => {
  const zygotes = new Zygotes();
  const told = maker();
  assert.is(await zygotes.hold("one", 1, told.make), undefined, "a single copy is made from its template");
  const held = await Promise.all([1, 2, 3].map(() => zygotes.hold("one", 1, told.make)));
  assert.is(told.made, 1);
  assert.ok(held.every((each) => each !== undefined && each.zygote === held[0]?.zygote));
  // A test with two machines of a kind needs none, the next one does.
  const pair = await Promise.all([1, 2].map(() => zygotes.hold("pair", 2, told.make)));
  assert.equal(pair, [undefined, undefined]);
  assert.ok(await zygotes.hold("pair", 2, told.make));
  await zygotes.close();
  assert.is(told.released, 2);
  assert.equal(ownQemus(), []);
});

withQemu("hold() has one made at once for a test with many machines of a kind", async () => {
  const zygotes = new Zygotes();
  const told = maker();
  const held = await Promise.all(Array.from({ length: 8 }, () => zygotes.hold("many", 8, told.make)));
  assert.is(told.made, 1);
  assert.ok(held.every((each) => each?.zygote.boot.running));
  await zygotes.close();
});

withQemu("hold() passes on why none could be made, and does not try again", async () => {
  const zygotes = new Zygotes();
  let tried = 0;
  const fail = async (): Promise<Zygote> => {
    tried++;
    throw new Error("QEMU cannot be forked");
  };
  const results = await Promise.allSettled([1, 2, 3].map(() => zygotes.hold("none", 3, fail)));
  assert.equal(
    results.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled"],
  );
  assert.is(await zygotes.hold("none", 3, fail), undefined);
  assert.is(tried, 1);
  await zygotes.close();
});

withQemu("hold() ends the one not used for longest for a further one, unless all have copies", async () => {
  const zygotes = new Zygotes();
  const told = maker();
  const held = [];
  for (let key = 0; key < MOST_ZYGOTES; key++) held.push(await zygotes.hold(`${key}`, 3, told.make));
  assert.is(await zygotes.hold("more", 3, told.make), undefined);
  held[0]?.release();
  held[0]?.release();
  assert.ok(await zygotes.hold("more", 3, told.make));
  assert.is(told.released, 1);
  assert.is(held[0]?.zygote.boot.running, false);
  assert.is(held[1]?.zygote.boot.running, true);
  await zygotes.close();
  assert.is(told.released, MOST_ZYGOTES + 1);
});

withQemu("hold() ends a zygote once although two others want its place, and gives it to nobody meanwhile", async () => {
  const zygotes = new Zygotes();
  const told = maker();
  for (let key = 0; key < MOST_ZYGOTES; key++) (await zygotes.hold(`${key}`, 3, told.make))?.release();
  const more = ["a", "b"].map((key) => zygotes.hold(key, 3, told.make));
  const again = zygotes.hold("0", 3, told.make);
  const held = await Promise.all([...more, again]);
  for (const each of held) assert.ok(each === undefined || each.zygote.boot.running);
  await zygotes.close();
  assert.is(told.released, told.made);
  assert.equal(ownQemus(), []);
});

test("close() has what is being made given up, and makes no more", async () => {
  const zygotes = new Zygotes();
  const endless = (signal: AbortSignal): Promise<Zygote> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const held = Promise.allSettled([1, 2].map(() => zygotes.hold("one", 3, endless)));
  await nextTurn();
  await zygotes.close();
  assert.equal(
    (await held).map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
  assert.is(await zygotes.hold("other", 3, endless), undefined);
});

withQemu("giveUp() leaves those that run, and forks no more", async () => {
  const zygotes = new Zygotes();
  const told = maker();
  const held = await zygotes.hold("one", 3, told.make);
  zygotes.giveUp("one");
  assert.is(await zygotes.hold("one", 3, told.make), undefined);
  assert.is(held?.zygote.boot.running, true);
  // One whose QEMU has died is none, either.
  const other = await zygotes.hold("other", 3, told.make);
  await other?.zygote.boot.machine.cutPower();
  assert.is(await zygotes.hold("other", 3, told.make), undefined);
  await zygotes.close();
  assert.equal(ownQemus(), []);
});

withQemu("forkOf() puts a copy's disks, their records and cables in the place of the zygote's", async () => {
  const zygote = await maker().make();
  zygote.boot.console.push(Buffer.from("a line\nhalf a"));
  const nic = (socket: string) =>
    ({ id: "lan", mac: "52:54:00:00:00:01", backend: { kind: "stream", socket } }) as const;
  const disks = (folder: string) =>
    [
      { file: `${folder}/root.qcow2`, format: "qcow2" },
      { file: "/store.img", format: "raw", readOnly: true },
      { file: `${folder}/recorded.img`, format: "raw", log: `${folder}/recorded.log` },
    ] as const;
  const fork = forkOf(
    { ...zygote, disks: disks("/z"), nics: [nic("/z/0")] },
    { disks: disks("/c"), nics: [nic("/c/1")] },
  );
  assert.equal(fork.exchanges, [
    ["/z/root.qcow2", "/c/root.qcow2"],
    ["/store.img", "/store.img"],
    ["/z/recorded.img", "/c/recorded.img"],
    ["/z/recorded.log", "/c/recorded.log"],
    ["/z/0", "/c/1"],
  ]);
  assert.is(fork.console.toString(), "a line\nhalf a");
  await zygote.boot.machine.cutPower();
  await zygote.boot.over;
});

test.run();
