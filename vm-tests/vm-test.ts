import { callerLocation } from "#floe/base";
import { importSync } from "#floe/flake";
import type { Defs, Module } from "#floe/module";
import type { Pkgs } from "../pkgs/index.ts";
import type { Machine, Network, StoryTools } from "./machine.ts";
import type { MachineManifest, VmTestManifest } from "./manifest.ts";
import type { NetworkSpecification } from "./plan-networks.ts";

/** One machine of a story. */
export interface MachineSpecification {
  /** The system it boots first: generation 1, by the name `base`. */
  readonly config: Defs;
  /** Further systems its store has, by name, each a whole configuration; {@link Machine.switchTo} switches to them. */
  readonly generations?: Readonly<Record<string, Defs>>;
  /** Modules beside Floe's own, for all generations. */
  readonly modules?: readonly Module[];
  /** Give it `/dev/vdc`, a disk with an empty file system whose writes are recorded; see `Machine.storeAfterPowerCuts`. */
  readonly recordedDisk?: boolean;
  /**
   * Further disks by name, empty, with their sizes in MiB; see `Machine.disk`. They are /dev/vdc and on (/dev/vdd with a recorded disk), in the
   * order of their names.
   */
  readonly disks?: Readonly<Record<string, number>>;
  /** Give it a screen and a keyboard; see `Machine.screen`. A PC's kernel then boots by way of the firmware, which costs a second. */
  readonly screen?: boolean;
  /** Bring along what reads its pictures; see `Screen.readPicture`. Default: that is up to the host. */
  readonly ocr?: boolean;
  /**
   * What starts the kernel. `uefi`: UEFI does, which hands it tables of ACPI and a clock and costs seconds. Default: QEMU puts the kernel
   * into memory itself.
   */
  readonly firmware?: "uefi";
  /**
   * Give it a disk with the boot menu of its generations, from which UEFI starts it; see `BootOptions.entry`. It is the first after those of the
   * machine itself, and /boot. Default: QEMU hands the kernel over, and chooses among generations.
   */
  readonly bootMenu?: boolean;
  /** Networks it is in, in the order of its cards. Default: all that the story declares. */
  readonly networks?: readonly string[];
  /** Default: 1024. */
  readonly memoryMiB?: number;
  /** Default: 2. */
  readonly cpus?: number;
}

/** What {@link vmTest} takes. */
export interface VmTestOptions<Names extends string, Networks extends string = never> {
  readonly name: string;
  /** What the story shows, in a sentence. */
  readonly description: string;
  readonly machines: Readonly<Record<Names, MachineSpecification>>;
  /** Networks of its machines, which can reach each other by name in them, and nobody else. Default: none. */
  readonly networks?: Readonly<Record<Networks, NetworkSpecification>>;
  /**
   * `cold`: it is about the boot itself, so its machines boot each time. Default: a machine's first start may be a copy of a boot of the
   * same machine, taken once everything had started.
   */
  readonly boot?: "cold";
  /** Console lines that are no fault here, such as those of a service that is meant to crash. */
  readonly allowConsole?: readonly RegExp[];
  /** Platforms of its machines, each of which it can run on; the first one is meant where none is named. Default: x86_64-linux. */
  readonly platforms?: readonly string[];
  /** Words to choose it by, such as `smoke`; see `floe vm-test run --tag`. Default: none. */
  readonly tags?: readonly string[];
  /** Package set of the machines, or the one whose cross sets they take. Default: Floe's own. */
  readonly pkgs?: Pkgs;
  /** The story. It runs on the host, in plain Node; the rest of this value only ever describes. */
  script(
    tools: StoryTools & { readonly [name in NoInfer<Names>]: Machine } & {
      readonly [name in NoInfer<Networks>]: Network;
    },
  ): Promise<void>;
}

/**
 * A machine test. As data (an evaluation turns it into JSON) it is a {@link VmTestManifest}; `script` and `allowConsole` are
 * there for the driver, which imports the story's file.
 */
export interface VmTest extends VmTestManifest {
  readonly script: (tools: never) => Promise<void>;
  readonly allowConsole: readonly RegExp[];
  /** The same test with the machines of one platform, for each that it declares. Not a part of its data. */
  readonly on: Readonly<Record<string, VmTestManifest>>;
}

const PLATFORM = "x86_64-linux";

/** Loaded with the first machine: it needs all modules and packages, and a flake that has stories mostly answers for something else. */
function machineMaker(): typeof import("./make-machines.ts") {
  return importSync<typeof import("./make-machines.ts")>("./make-machines.ts");
}

/**
 * Declare a machine test.
 *
 * @throws {CodedError} when its machines are asked for: whatever their systems raise.
 *
 * @example
 * export default vmTest({
 *   name: "boot",
 *   description: "A machine with nothing special reaches multi-user.target.",
 *   machines: { machine: { config: {} } },
 *   async script({ machine }) {
 *     await machine.start();
 *     await machine.waitForUnit("multi-user.target");
 *   },
 * });
 */
export function vmTest<const Names extends string, const Networks extends string = never>(
  options: VmTestOptions<Names, Networks>,
): VmTest {
  const { name, description, script, boot, allowConsole = [], platforms = [PLATFORM], tags = [] } = options;
  const story = callerLocation(vmTest)?.file ?? "";
  const [first = PLATFORM] = platforms;
  const on = Object.fromEntries(platforms.map((platform) => [platform, manifest(platform)]));
  const test = on[first] ?? manifest(first);
  // Functions are no data: an evaluation must not meet them.
  Object.defineProperty(test, "script", { value: script });
  Object.defineProperty(test, "allowConsole", { value: allowConsole });
  Object.defineProperty(test, "on", { value: on });
  return test as VmTest;

  function manifest(platform: string): VmTestManifest {
    let made: Readonly<Record<string, MachineManifest>> | undefined;
    return {
      type: "vmTest",
      name,
      description,
      story,
      ...(boot === undefined ? {} : { boot }),
      platforms,
      tags,
      /** Worked out when an evaluation asks, since the driver, which imports stories too, has no use for it. */
      get machines() {
        made ??= machineMaker().makeMachines(options, platform);
        return made;
      },
      get programs() {
        return machineMaker().makePrograms(options.pkgs);
      },
    };
  }
}
