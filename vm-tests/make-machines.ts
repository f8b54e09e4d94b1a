import { CodedError, compareText } from "#floe/base";
import { type Defs, defaults } from "#floe/module";
import { makeSystem, type System } from "#floe/system";
import { modules as baseModules } from "../modules/index.ts";
import agent from "../modules/testing/agent.ts";
import { makePkgs, type Pkgs } from "../pkgs/index.ts";
import { makeBootImage, makeRecordedImage, makeRootImage, makeStoreImage } from "./machine-image.ts";
import type { Architecture, GenerationManifest, MachineManifest, ProgramsManifest } from "./manifest.ts";
import { planNetworks } from "./plan-networks.ts";
import type { MachineSpecification, VmTestOptions } from "./vm-test.ts";

/** Of what builds, and of what runs a story. */
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

/** Floe's own packages, for stories that say nothing of any. */
let ownPkgs: Pkgs | undefined;

/** QEMU, what the driver calls, and what runs the driver itself. */
export function makePrograms(given: Pkgs | undefined): ProgramsManifest {
  const pkgs = pkgsFor(PLATFORM, given);
  const { qemu, nodejs, coreutils, bash, "util-linux": utilLinux, "image-tools": imageTools } = pkgs;
  return {
    node: `${nodejs}/bin/node`,
    path: [qemu, utilLinux, imageTools, coreutils, bash].map((each) => `${each}/bin`),
  };
}

/** @throws {CodedError} `vm-test.platform` when there are no packages for it. */
function pkgsFor(platform: string, given: Pkgs | undefined): Pkgs {
  const { native } = given ?? (ownPkgs ??= makePkgs({ platform: PLATFORM }));
  const sets = [native, ...Object.values(native.cross)];
  const found = sets.find((set) => set.platform.system === platform);
  if (found !== undefined) return found;
  throw new CodedError(
    "vm-test.platform",
    `Cannot make machines of "${platform}": expected one of ${sets.map((set) => set.platform.system).join(", ")}`,
  );
}

/** The machines of a story for one platform. */
export function makeMachines(
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
