import { EventEmitter } from "node:events";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseBootEntry, entryToChoose } from "./boot-menu.ts";
import type { Boot } from "./boot.ts";
import { LineRecorder } from "./line-recorder.ts";
import { TerminalScreen } from "./terminal-screen.ts";

const NORMAL = "\x1b[0m\x1b[37m\x1b[40m";
const CHOSEN = "\x1b[0m\x1b[30m\x1b[47m";

/** Bytes of a menu as systemd-boot 257 draws it on the console of EDK II: recorded, with another second line. */
const drawn = (lines: readonly string[], chosen: number, below = "Boot in 3 s."): string =>
  `\x1b[2J\x1b[01;01H${lines.map((line, at) => `\x1b[${25 + at};23H${at === chosen ? CHOSEN : NORMAL}   ${line}   `).join("")}${NORMAL}\x1b[30;01H   ${below}  \x1b[29;20H\xc4\xc4`;

test("TerminalScreen shows what was drawn, however the bytes come", () => {
  const text = drawn(["Floe (Generation 2: web)", "Floe (Generation 1: web)"], 1);
  const whole = [
    { text: "Floe (Generation 2: web)", highlighted: false },
    { text: "Floe (Generation 1: web)", highlighted: true },
    { text: "\xc4\xc4", highlighted: false },
    { text: "Boot in 3 s.", highlighted: false },
  ];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
      const screen = new TerminalScreen();
      const bytes = Buffer.from(text, "latin1");
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] as number;
        screen.push(bytes.subarray(at, at + size));
        at += size;
      }
      assert.equal(screen.lines(), whole);
    }),
  );
});

test("TerminalScreen takes any bytes", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => Buffer.from(`\x1b[${text}`)),
        ),
      ),
      (pieces) => {
        const screen = new TerminalScreen();
        for (const piece of pieces) screen.push(piece);
        screen.push(
          Buffer.from("\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1bc\x1b[2J"),
        );
        assert.equal(screen.lines(), []);
      },
    ),
  );
});

const ENTRIES = ["Floe (Generation 3: web)", "Floe (Generation 2: web)", "Floe (Generation 1: web)"];

/** How long a slow menu shows its help without its lines: many times as long as it takes to look. */
const REDRAWN_MS = 150;

/**
 * A machine whose menu does as it is told; `undefined`: it starts its kernel at once. A slow one clears the screen and shows its help before
 * its lines.
 */
function menuMachine(entries: readonly string[] | undefined, first = 0, slow = false) {
  const console = Object.assign(new EventEmitter(), { write: (key: string) => press(key) });
  const lines = new LineRecorder();
  const pressed: string[] = [];
  let at = first;
  let seconds = 0;
  let drawnOnce = false;
  const say = (text: string): void => {
    lines.push(Buffer.from(text, "latin1"));
    console.emit("data", Buffer.from(text, "latin1"));
  };
  const press = (key: string): boolean => {
    pressed.push(lines.find("BdsDxe") === undefined ? `${key} for the firmware` : key);
    if (entries === undefined) return true;
    if (key === "\r") say("\x1b[2J\x1b[01;01HEFI stub: Loaded initrd\r\n");
    at = Math.min(Math.max(at + ({ j: 1, k: -1 }[key] ?? 0), 0), entries.length - 1);
    const help = key === "h" ? "(d)efault (h)elp" : "";
    if (key === "h" && slow && drawnOnce) {
      say(drawn([], 0, help));
      setTimeout(() => say(drawn(entries, at, help)), REDRAWN_MS);
    } else if (key !== "\r") say(drawn(entries, at, help));
    drawnOnce = true;
    return true;
  };
  const boot = {
    machine: { console },
    console: lines,
    clock: () => ({ wallSeconds: (seconds += 0.5), starvedSeconds: 0 }),
    signal: new AbortController().signal,
  };
  setTimeout(() => {
    say("BdsDxe: starting Boot0003\r\n");
    if (entries === undefined) say("[    0.000000] Linux version 6.12.107-floe\r\n");
  }, 10);
  return { boot: boot as unknown as Boot, pressed };
}

test("chooseBootEntry() goes to an entry, downwards and upwards, and starts it", async () => {
  const below = menuMachine(ENTRIES);
  assert.is(await chooseBootEntry(below.boot, "machine", "Generation 1:"), ENTRIES[2] as string);
  assert.equal(below.pressed, ["h", "j", "h", "j", "h", "\r"]);
  const above = menuMachine(ENTRIES, 1);
  assert.is(await chooseBootEntry(above.boot, "machine", /n 3/), ENTRIES[0] as string);
  assert.equal(above.pressed.join(""), "hjhjhkhkh\r");
});

test("entryToChoose() names a generation as its entry does", () => {
  const withMenu = { bootImage: "/nix/store/x-boot.img" };
  assert.is(entryToChoose("m", withMenu, { generation: 2 }), "Generation 2:");
  assert.is(entryToChoose("m", withMenu, { entry: "Firmware" }), "Firmware");
  assert.is(entryToChoose("m", withMenu, {}), undefined);
  assert.is(entryToChoose("m", {}, { generation: 2 }), undefined);
});

test("machine.no-boot-menu: a machine that QEMU starts has none", () => {
  assert.throws(
    () => entryToChoose("m", {}, { entry: "Firmware" }),
    (error: { code: string }) => error.code === "machine.no-boot-menu",
  );
});

test("boot.no-entry: it says what the menu has, and starts nothing", async () => {
  const { boot, pressed } = menuMachine(ENTRIES, 1);
  const error = await chooseBootEntry(boot, "machine", "Generation 9:").catch((caught) => caught);
  assert.is(error.code, "boot.no-entry");
  assert.is(error.message, 'Cannot choose "Generation 9:" in the boot menu of "machine": it is not there');
  assert.equal([...error.details].sort(), [...ENTRIES].sort());
  assert.equal(pressed.join(""), "hjhjhkhkhkh");
});

test("chooseBootEntry() takes no line for one while the menu is drawn", async () => {
  const missing = menuMachine(ENTRIES, 0, true);
  const error = await chooseBootEntry(missing.boot, "machine", "Generation 9:").catch((caught) => caught);
  assert.is(error.code, "boot.no-entry");
  assert.equal([...error.details], ENTRIES);
  const empty = menuMachine(ENTRIES, 0, true);
  assert.is(await chooseBootEntry(empty.boot, "machine", /^$|n 2/), ENTRIES[1] as string);
  assert.equal(empty.pressed.join(""), "hjh\r");
});

test("boot.no-menu: a machine that starts its kernel shows none, and is pressed no key", async () => {
  const { boot, pressed } = menuMachine(undefined);
  const error = await chooseBootEntry(boot, "machine", "x").catch((caught) => caught);
  assert.is(error.code, "boot.no-menu");
  assert.is(error.message, 'Cannot choose in the boot menu of "machine": its kernel runs already');
  assert.equal(pressed, []);
});

test.run();
