import { setTimeout as sleep } from "node:timers/promises";
import { CodedError } from "../../core/base/index.ts";
import type { BootOptions } from "../machine.ts";
import type { MachineManifest } from "../manifest.ts";
import type { Boot } from "./boot.ts";
import { Deadline } from "./deadline.ts";
import { TerminalScreen } from "./terminal-screen.ts";
import { waitUntil } from "./wait.ts";

/** Seconds of the guest until the menu has to be there, and until it has to have done what a key asks for. */
const MENU_SECONDS = 60;
const LOOK_MS = 20;
/** How often a key is pressed while the menu is not there yet. */
const KNOCK_MS = 200;

/** Keys of systemd-boot as characters of a serial line. Source: systemd-boot(7). Help stops the menu's clock and does nothing else. */
const KEYS = { help: "h", down: "j", up: "k", enter: "\r" } as const;

/** Stands in the line of help, which is there until the next key has done its work. */
const HELP = "(d)efault";

/** What the firmware says before it starts the menu: earlier keys are for itself. */
const MENU_STARTS = /BdsDxe: starting/;
const KERNEL_RUNS = /Linux version/;

/** What a boot asks for in the menu of a machine; `undefined`: nothing. @throws {CodedError} `machine.no-boot-menu` */
export function entryToChoose(
  name: string,
  { bootImage }: Pick<MachineManifest, "bootImage">,
  { entry, generation }: BootOptions,
): RegExp | string | undefined {
  if (bootImage !== undefined) return entry ?? (generation === undefined ? undefined : `Generation ${generation}:`);
  if (entry === undefined) return undefined;
  throw new CodedError("machine.no-boot-menu", `Cannot choose "${entry}" in the boot menu of "${name}": it has none`, {
    hint: "Say bootMenu: true for the machine.",
  });
}

/**
 * Choose an entry of the boot menu by key, on the serial console of a machine that has just been started.
 *
 * @param entry Found in the line of the entry.
 * @returns the line.
 * @throws {CodedError} `boot.no-menu` when the machine starts without it; `boot.no-entry`, which says what it shows.
 */
export async function chooseBootEntry(boot: Boot, name: string, entry: RegExp | string): Promise<string> {
  const screen = new TerminalScreen();
  const { console } = boot.machine;
  const draw = (data: Buffer): void => screen.push(data);
  console.on("data", draw);
  try {
    const menu = new Menu(boot, screen);
    let line = await menu.appears(name);
    const visited = new Set<string>();
    for (let ends = 0; ends < 2; ) {
      visited.add(line);
      if (typeof entry === "string" ? line.includes(entry) : line.search(entry) >= 0) {
        await menu.start(name);
        return line;
      }
      const next = await menu.move(ends === 0 ? KEYS.down : KEYS.up);
      if (next === line) ends++;
      line = next;
    }
    throw new CodedError("boot.no-entry", `Cannot choose "${entry}" in the boot menu of "${name}": it is not there`, {
      details: [...visited],
    });
  } finally {
    console.off("data", draw);
  }
}

class Menu {
  readonly #boot: Boot;
  readonly #screen: TerminalScreen;

  constructor(boot: Boot, screen: TerminalScreen) {
    this.#boot = boot;
    this.#screen = screen;
  }

  /** The line that is chosen now; `undefined` while the menu is not there, or is being drawn. */
  chosen(): string | undefined {
    const chosen = this.#screen.lines().filter(({ highlighted }) => highlighted);
    return chosen.length === 1 ? chosen[0]?.text : undefined;
  }

  /** Wait until it is there, and keep it: it waits for seconds only, but a key that came before it counts. @returns the line that is chosen. */
  async appears(name: string): Promise<string> {
    const { console } = this.#boot;
    let knocked = 0;
    return this.#until(`see the boot menu of "${name}"`, () => {
      if (console.find(KERNEL_RUNS) !== undefined)
        throw new CodedError("boot.no-menu", `Cannot choose in the boot menu of "${name}": its kernel runs already`);
      if (console.find(MENU_STARTS) !== undefined && performance.now() - knocked >= KNOCK_MS) {
        knocked = performance.now();
        this.#press(KEYS.help);
      }
      return this.#showsHelp() ? this.chosen() : undefined;
    });
  }

  /** Press a key that moves. Its work is done when the help of before is gone. @returns the line that is chosen then. */
  async move(key: string): Promise<string> {
    this.#press(key);
    await this.#until("move in the boot menu", () => (this.#showsHelp() ? undefined : this.chosen()));
    this.#press(KEYS.help);
    // A menu that is being drawn has no line, or help already and its lines not yet.
    return this.#until("see the help of the boot menu", () => (this.#showsHelp() ? this.chosen() : undefined));
  }

  #showsHelp(): boolean {
    return this.#screen.lines().some(({ text }) => text.includes(HELP));
  }

  /** Start the line that is chosen. */
  async start(name: string): Promise<void> {
    this.#press(KEYS.enter);
    await this.#until(`leave the boot menu of "${name}"`, () => (this.chosen() === undefined ? true : undefined));
  }

  #press(key: string): void {
    this.#boot.machine.console.write(key);
  }

  #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const { clock, signal } = this.#boot;
    const seen = (): string => this.chosen() ?? this.#boot.console.last(1)[0] ?? "nothing";
    return waitUntil({
      what,
      deadline: new Deadline(MENU_SECONDS, clock),
      signal,
      attempt: async () => {
        const value = look();
        return value === undefined ? { seen: seen() } : { value };
      },
      pause: () => sleep(LOOK_MS),
    });
  }
}
