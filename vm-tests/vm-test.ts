import { callerLocation, CodedError, compareText } from "#floe/base";
import { type Defs, defaults, type Module } from "#floe/module";
import { makeSystem, type System } from "#floe/system";
import { modules as baseModules } from "../modules/index.ts";
import agent from "../modules/testing/agent.ts";
import { makePkgs, type Pkgs } from "../pkgs/index.ts";
import { makeBootImage, makeRecordedImage, makeRootImage, makeStoreImage } from "./machine-image.ts";
import type { Machine, Network, StoryTools } from "./machine.ts";
import type {
  Architecture,
  GenerationManifest,
  MachineManifest,
  ProgramsManifest,
  VmTestManifest,
} from "./manifest.ts";
import { type NetworkSpecification, planNetworks } from "./plan-networks.ts";

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

/** How every machine under test differs from a machine on its own: its disks are images, and the agent runs. */
const UNDER_TEST: Defs = {
  fileSystems: { "/": { device: "/dev/vda", fsType: "ext4" } },
  boot: { storeImage: "erofs:/dev/vdb", kernelParams: ["systemd.getty_auto=no"] },
  testing: { agent: { enable: true } },
  // Nobody sits at the console, and what it shows is the record of the kernel.
  services: { getty: { serial: [] } },
};

/** Uncompressed: an emulated processor takes a second to unpack what the host reads at once. Firmware starts the other form alone. */
const UNPACKED_KERNEL: Defs = { boot: { kernel: { file: defaults("vmlinux") } } };
/** What the kernel says is on the screen, too; the last console is the one of init. A PC's kernel knows of a screen by its firmware alone. */
const WITH_SCREEN: Defs = { boot: { kernelParams: ["console=tty0"] } };

/** A machine that starts itself, from the partition on that disk. Nobody adds to its kernel's words. */
const startsItself = (disk: string): Defs => ({
  fileSystems: { "/boot": { device: `${disk}1`, fsType: "vfat", options: ["umask=0077"] } },
  boot: { kernelParams: ["panic=-1"], loader: { systemdBoot: { enable: true } } },
});

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => compareText(a, b);

let ownPkgs: Pkgs | undefined;
let programs: ProgramsManifest | undefined;

/** QEMU, what the driver calls, and what runs the driver itself. */
function makePrograms(pkgs: Pkgs): ProgramsManifest {
  const { qemu, nodejs, coreutils, bash, "util-linux": utilLinux, "image-tools": imageTools } = pkgs;
  return {
    node: `${nodejs}/bin/node`,
    path: [qemu, utilLinux, imageTools, coreutils, bash].map((each) => `${each}/bin`),
  };
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
        made ??= makeMachines(options, platform);
        return made;
      },
      get programs() {
        programs ??= makePrograms(pkgsFor(PLATFORM, options.pkgs));
        return programs;
      },
    };
  }
}

/** @throws {CodedError} `vm-test.platform` when there are no packages for it. */
function pkgsFor(platform: string, given: Pkgs | undefined): Pkgs {
  ownPkgs ??= given ?? makePkgs({ platform: PLATFORM });
  const { native } = given ?? ownPkgs;
  const sets = [native, ...Object.values(native.cross)];
  const found = sets.find((set) => set.platform.system === platform);
  if (found !== undefined) return found;
  throw new CodedError(
    "vm-test.platform",
    `Cannot make machines of "${platform}": expected one of ${sets.map((set) => set.platform.system).join(", ")}`,
  );
}

function makeMachines(
  options: VmTestOptions<string, string>,
  platform: string,
): Readonly<Record<string, MachineManifest>> {
  const pkgs = pkgsFor(platform, options.pkgs);
  const { networks = {} } = options;
  const machines = Object.entries(options.machines);
  const twice = machines.find(([name]) => Object.hasOwn(networks, name))?.[0];
  if (twice !== undefined) {
    throw new CodedError("vm-test.network", `Cannot make the network "${twice}": a machine has its name`, {
      hint: "A story takes both by their names, so each needs one of its own.",
    });
  }
  const joined = machines.map(([name, { networks: own = Object.keys(networks) }]) => [name, own] as const);
  const planned = planNetworks({ networks, machines: Object.fromEntries(joined) });
  return Object.fromEntries(
    machines.map(([name, machine]) => {
      const { nics = [], config = {} } = planned[name] ?? {};
      const made = makeMachine(name, machine, { pkgs, underTest: config });
      return [name, nics.length === 0 ? made : { ...made, nics }];
    }),
  );
}

interface MakeMachineOptions {
  readonly pkgs: Pkgs;
  /** What every generation has because of the story it is in. */
  readonly underTest: Defs;
}

function makeMachine(
  name: string,
  specification: MachineSpecification,
  { pkgs, underTest }: MakeMachineOptions,
): MachineManifest {
  const { config, generations = {}, modules = [], recordedDisk = false, memoryMiB = 1024, cpus = 2 } = specification;
  const {
    disks = {},
    screen = false,
    ocr = false,
    bootMenu = false,
    firmware = bootMenu ? "uefi" : undefined,
  } = specification;
  const { processor } = pkgs.platform;
  const unpacked = processor === "x86_64" && firmware === undefined && !screen;
  const bootDisk = `/dev/vd${recordedDisk ? "d" : "c"}`;
  const kernel = [
    ...(bootMenu ? [startsItself(bootDisk)] : []),
    ...(screen ? [WITH_SCREEN] : []),
    ...(unpacked ? [UNPACKED_KERNEL] : []),
  ];
  const system = (own: Defs): System =>
    makeSystem({
      name,
      pkgs,
      modules: [...baseModules, agent, ...modules],
      config: [UNDER_TEST, ...kernel, underTest, own],
    });
  const systems = Object.entries({ base: config, ...generations }).map(([key, own]) => [key, system(own)] as const);
  const toplevels = systems.map(([, { toplevel }]) => toplevel);
  return {
    architecture: processor as Architecture,
    memoryMiB,
    cpus,
    storeImage: `${makeStoreImage({ name, pkgs, toplevels })}`,
    rootImage: `${makeRootImage({ name, pkgs, toplevels })}`,
    ...(Object.keys(disks).length === 0 ? {} : { disks: Object.fromEntries(Object.entries(disks).sort(byName)) }),
    ...(screen ? { screen } : {}),
    ...(ocr ? { tesseract: `${pkgs.native.tesseract}/bin/tesseract` } : {}),
    ...(firmware === undefined ? {} : { firmware: `${pkgs.native["uefi-firmware"]}/${processor}.fd` }),
    ...(bootMenu ? { bootImage: `${makeBootImage({ name, pkgs, toplevels }, system(config))}` } : {}),
    ...(recordedDisk ? { recordedImage: `${makeRecordedImage({ name, pkgs, toplevels })}` } : {}),
    generations: Object.fromEntries(
      systems.map(([key, each]) => [key, makeGeneration(each)]),
    ) as MachineManifest["generations"],
  };
}

function makeGeneration(system: System): GenerationManifest {
  return {
    toplevel: `${system.toplevel}`,
    kernel: system.kernel,
    initrd: system.initrd,
    kernelParameters: system.kernelParams.join(" "),
  };
}
