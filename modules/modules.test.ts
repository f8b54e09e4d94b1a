import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeSourceHost } from "../core/host/files/source-host.ts";
import type { CodedError } from "../core/base/index.ts";
import { beginEvaluation, currentEvaluation } from "../core/derivation/index.ts";
import { type Defs, defaults, documentOptions, force } from "../core/module/index.ts";
import { type System, formatActivationScript, makeSystem } from "../core/system/index.ts";
import { makePkgs } from "../pkgs/index.ts";
import { modules } from "./index.ts";

beginEvaluation(makeSourceHost());
const pkgs = makePkgs({ platform: "x86_64-linux" });
const web = (config: Defs) => makeSystem({ name: "web", pkgs, modules, config });

/** The structured attributes of the derivation with a name that a system's own etc was made with. */
function textsOf(system: System, name: string): Record<string, string> {
  const path =
    name === "etc"
      ? system.config.system.build.etc.replace(/\/etc$/, "")
      : system.config.environment.etc["systemd/system"]?.source;
  for (const text of currentEvaluation().derivations.values()) {
    if (!text.includes(`"out","${path}"`)) continue;
    const json = /\("__json","((?:[^"\\]|\\.)*)"\)/.exec(text)?.[1] ?? "{}";
    const { texts, links } = JSON.parse(JSON.parse(`"${json}"`)) as Record<string, Record<string, string>>;
    const all = Object.entries({ ...texts, ...links });
    return Object.fromEntries(all.map(([file, content]) => [file.replace(/^etc\//, ""), content]));
  }
  throw new Error(`no derivation makes ${path}`);
}

function failure(run: () => unknown): {
  code: string;
  message: string;
  hint?: string;
  at?: { file: string; line: number };
} {
  try {
    run();
  } catch (error) {
    return error as never;
  }
  throw new Error("nothing was thrown");
}

test("settings that a running service reads from /etc are part of its unit, so that a switch hands them over", () => {
  const unitsOf = (config: Defs) => textsOf(web(config), "system-units");
  const before = unitsOf({ services: { resolved: { enable: true } } });
  const after = unitsOf({
    services: {
      resolved: { enable: true, settings: { Resolve: { DNS: "::1" } } },
      logind: { settings: { Login: { KillUserProcesses: true } } },
      journald: { settings: { SystemMaxUse: "1G" } },
    },
    networking: { networks: { "10-lan": { Match: { Name: "eth1" } } } },
    systemd: { tmpfiles: { rules: ["d /srv 0755 - - -"] } },
  });
  for (const name of ["networkd", "resolved", "logind", "journald", "tmpfiles-setup"]) {
    const file = `systemd-${name}.service.d/overrides.conf`;
    assert.match(after[file] ?? "", name === "journald" ? /^X-Settings=\w+$/m : /^X-Reload-Triggers=\w+$/m, name);
    assert.is.not(after[file], before[file], name);
  }
});

test("module.assertion: one unit of a package and of one's own; a mask wins over both", () => {
  const own: Defs = { systemd: { services: { "systemd-networkd": { overrides: force(false), exec: "/x" } } } };
  const twice = failure(() => web(own).drvPath);
  assert.match(twice.message, 'Cannot make unit "systemd-networkd.service": found two of them');
  const masked = web({ systemd: { maskedUnits: ["systemd-networkd.service"] } });
  assert.is(textsOf(masked, "system-units")["systemd-networkd.service"], "/dev/null");
});

test("a boot reaches the default target, whoever has it", () => {
  const links = (systemd: Defs["systemd"]) => textsOf(web({ systemd }), "system-units")["default.target"];
  assert.is(links({}), `${pkgs.systemd}/lib/systemd/system/multi-user.target`);
  assert.is(links({ targets: { kiosk: {} }, defaultTarget: "kiosk.target" }), "kiosk.target");
});

test("a web system: units, users, kernel parameters and the page", () => {
  const system = web({
    fileSystems: { "/": { device: "/dev/vda" }, "/data disk": { device: "LABEL=d", options: ["ro"] } },
    services: {
      nginx: {
        enable: true,
        virtualHosts: { "one.example": { default: true, locations: { "/": { return: '200 "one\\n"' } } } },
      },
    },
    users: { users: { alice: { isNormalUser: true, extraGroups: ["wheel"] } } },
    environment: { etc: { motd: { text: "hello\n" } } },
    systemd: {
      services: {
        old: { exec: "/x", wantedBy: ["multi-user.target"], environment: { A: 'b "c" %d' }, path: [pkgs.kmod] },
      },
    },
  });
  assert.match(system.drvPath, /-floe-system-web\.drv$/);
  assert.ok(system.kernelParams.includes("root=/dev/vda"));
  const units = textsOf(system, "units");
  assert.match(
    units["nginx.service"] ?? "",
    /ExecStart=\/nix\/store\/\w+-nginx-[^/]+\/bin\/nginx -c \/etc\/nginx\/nginx\.conf/,
  );
  assert.is(units["multi-user.target.wants/nginx.service"], "../nginx.service");
  assert.is(units["getty.target.wants/serial-getty@ttyS0.service"], "../serial-getty@.service");
  assert.match(units["old.service"] ?? "", /Environment="A=b \\"c\\" %%d"\nEnvironment="PATH=\/nix\/store\/\w+-kmod/);
  const etc = textsOf(system, "etc");
  assert.is(etc["motd"], "hello\n");
  assert.is(etc["hostname"], "web\n");
  assert.match(etc["fstab"] ?? "", /^LABEL=d \/data\\040disk ext4 ro 0 0\n$/m);
  assert.is.not(etc["fstab"]?.includes(" / "), true);
  const users = system.config.system.activationScripts["users"]?.text ?? "";
  assert.match(users, /^user\talice\t-\tusers\t\/home\/alice\t/m);
  assert.match(users, /^group\twheel\t1\talice$/m);
});

test("the activation script is well-formed bash", () => {
  const { activationScripts, build } = web({}).config.system;
  const script = formatActivationScript({ shell: build.shell, path: build.path, snippets: activationScripts });
  const checked = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
  assert.is(checked.status, 0, checked.stderr);
});

test("two systems with the same configuration are one store path", () => {
  assert.is(web({ networking: { hostName: "h" } }).outPath, web({ networking: { hostName: "h" } }).outPath);
  assert.is.not(web({ networking: { hostName: "h" } }).outPath, web({ networking: { hostName: "i" } }).outPath);
});

test("the order of modules does not change the system, its documentation or its faults (100 random orders)", () => {
  const config: Defs = {
    services: { nginx: { enable: true, virtualHosts: { localhost: { root: "/srv", default: true } } } },
    users: { users: { alice: { isNormalUser: true, extraGroups: ["wheel"] } } },
    boot: { sysctl: { "vm.swappiness": 1 } },
  };
  const faulty = {
    ...config,
    users: { users: { a: { group: "nowhere" }, b: { uid: 0 } } },
    time: { zone: 1 as never },
  };
  const made = (all: typeof modules) => makeSystem({ name: "web", pkgs, modules: all, config });
  const whole = (all: typeof modules) => {
    const { outPath, config, evaluated } = made(all);
    return JSON.stringify([outPath, config, evaluated.contributions(), documentOptions(all)]);
  };
  const faultsOf = (all: typeof modules) => {
    const { message, at, details } = failure(
      () => makeSystem({ name: "web", pkgs, modules: all, config: faulty }).config,
    ) as CodedError;
    return JSON.stringify([message, at?.file, details]);
  };
  const { outPath } = made(modules);
  const [expected, faults] = [whole(modules), faultsOf(modules)];
  let count = 0;
  fc.assert(
    fc.property(fc.shuffledSubarray([...modules], { minLength: modules.length }), (shuffled) => {
      count += 1;
      assert.is(made(shuffled).outPath, outPath);
      if (count % 10 === 0) assert.is(whole(shuffled), expected);
      if (count % 20 === 0) assert.is(faultsOf(shuffled), faults);
    }),
    { numRuns: 100 },
  );
  assert.is(whole([...modules].reverse()), expected);
});

test("a misspelt option is an error of the type checker, and of the evaluation with a place and a suggestion", () => {
  // @ts-expect-error "enabel" is not an option
  const typo = failure(() => web({ services: { nginx: { enabel: true } } }).config);
  assert.is(typo.code, "option.unknown");
  assert.is(typo.hint, 'Did you mean "services.nginx.enable"?');
  assert.match(typo.at?.file ?? "", /modules\.test\.ts$/);
  // @ts-expect-error a port is a number
  assert.is(failure(() => web({ services: { nginx: { port: "80" } } }).config).code, "option.wrong-type");
  // @ts-expect-error a forced value has the option's type, too
  assert.is(failure(() => web({ services: { nginx: { port: force("80") } } }).config).code, "option.wrong-type");
  // @ts-expect-error free names end at a declared submodule
  const deep = failure(() => web({ services: { nginx: { virtualHosts: { a: { rot: "/x" } } } } }).config);
  assert.is(deep.hint, 'Did you mean "services.nginx.virtualHosts.a.root"?');
  // @ts-expect-error there is no such namespace
  assert.is(failure(() => web({ servces: {} }).config).hint, 'Did you mean "services"?');
});

test("what is optional leaves its traces only when asked for", () => {
  const plain = web({});
  assert.is(textsOf(plain, "units")["systemd-sysctl.service"], "/dev/null");
  assert.is(textsOf(plain, "etc")["systemd/system-generators/systemd-fstab-generator"], "/dev/null");
  const rich = web({
    boot: { sysctl: { "vm.swappiness": 1 }, loader: { entries: { copyKernels: true } } },
    services: {
      resolved: { enable: true },
      logind: { enable: false },
      journald: { storage: "volatile" },
      udev: { coldplug: ["net"] },
    },
    time: { zone: "CET-1", synchronise: true },
    swapDevices: ["/dev/vdc"],
    systemd: {
      timers: { beat: { wantedBy: ["timers.target"], timerConfig: { OnCalendar: "daily" } } },
      mounts: [{ what: "tmpfs", where: "/var/a b", type: "tmpfs", options: ["size=1M", "ro"] }],
      services: { gone: { enable: false }, dbus: { after: ["x.service"] } },
    },
  });
  const units = textsOf(rich, "units");
  assert.match(units["systemd-sysctl.service.d/overrides.conf"] ?? "", /X-Settings=vm\.swappiness=1/);
  assert.is(units["systemd-logind.service"], "/dev/null");
  assert.is(units["systemd-journal-flush.service"], "/dev/null");
  assert.is(units["gone.service"], "/dev/null");
  assert.match(
    units["systemd-udev-trigger.service.d/overrides.conf"] ?? "",
    /^ExecStart=\nExecStart=-.*--subsystem-match=net$/m,
  );
  assert.match(units["beat.timer"] ?? "", /\[Timer\]\nOnCalendar=daily\n/);
  assert.match(units["var-a\\x20b.mount"] ?? "", /Options=size=1M,ro\nType=tmpfs\nWhat=tmpfs\nWhere=\/var\/a b/);
  assert.match(units["dbus.service"] ?? "", /After=sysinit\.target x\.service/);
  assert.ok(units["sysinit.target.wants/systemd-timesyncd.service"]);
  const etc = textsOf(rich, "etc");
  assert.is(etc["resolv.conf"], "/run/systemd/resolve/stub-resolv.conf");
  assert.is(etc["systemd/system-generators/systemd-fstab-generator"], undefined);
  assert.match(etc["systemd/system.conf"] ?? "", /^DefaultEnvironment=PATH=\S+\nDefaultEnvironment=TZ=CET-1$/m);
  assert.equal(JSON.parse(etc["floe/boot-loader.json"] ?? ""), {
    enable: true,
    copyKernels: true,
    limit: 20,
    timeoutSeconds: 3,
  });
});

test("checks of modules are told together", () => {
  const error = failure(
    () =>
      web({
        users: {
          users: { a: { group: "nowhere" }, b: { hashedPassword: "", hashedPasswordFile: "/x" }, c: { uid: 0 } },
        },
        environment: { etc: { empty: {} } },
      }).config,
  );
  assert.is(error.code, "module.assertion");
  assert.match(
    (error as { details?: string[] }).details?.join("\n") ?? "",
    /"nowhere"[\s\S]*both hashedPassword[\s\S]*uid 0/,
  );
});

test("every option has a description, or a name that is one", () => {
  const bare = documentOptions(modules).filter(
    ({ path, description }) => description === undefined && path.split(".").length <= 2,
  );
  assert.equal(
    bare.map(({ path }) => path),
    [],
  );
});

test("systemd-boot is told to the switch with its place, by the name UEFI has for the processor", () => {
  const set = makePkgs({ platform: "aarch64-linux" });
  const config: Defs = { boot: { loader: { systemdBoot: { enable: true } } } };
  for (const [each, processor] of [
    [pkgs, "x64"],
    [set, "aa64"],
  ] as const) {
    const etc = textsOf(makeSystem({ name: "web", pkgs: each, modules, config }), "etc");
    assert.equal(JSON.parse(etc["floe/boot-loader.json"] ?? ""), {
      enable: true,
      copyKernels: true,
      limit: 20,
      timeoutSeconds: 3,
      loader: {
        program: `${each["systemd-boot"]}/lib/systemd/boot/efi/systemd-boot${processor}.efi`,
        processor,
        editor: false,
      },
    });
  }
});

test("module.assertion: systemd-boot without entries, and specialisations whose files FAT takes for one", () => {
  const make = (loader: NonNullable<Defs["boot"]>["loader"], ...names: string[]) => {
    const specialisation = Object.fromEntries(names.map((name) => [name, { configuration: {} }]));
    return makeSystem({ name: "web", pkgs, modules, config: { boot: { loader }, specialisation } });
  };
  const systemdBoot = { enable: true };
  const silent = failure(() => make({ systemdBoot, entries: { enable: false } }).drvPath);
  assert.match(silent.message, "Cannot put systemd-boot into /boot with nothing to start");
  const collide = failure(() => make({ systemdBoot }, "Quiet", "quick", "quiet").drvPath);
  assert.match(collide.message, 'to the specialisations "Quiet" and "quiet"');
  for (const loader of [{}, { systemdBoot: { enable: false }, entries: { enable: false } }])
    assert.ok(make(loader, "Quiet", "quiet").drvPath);
});

test("a system of a cross set is made for its platform, by programs of this one", () => {
  const set = makePkgs({ platform: "aarch64-linux" });
  const make = (config: Defs) => makeSystem({ name: "web", pkgs: set, modules, config }).config;
  const { system, boot, services } = make({});
  assert.is(system.platform, "aarch64-linux");
  assert.match(system.build.kernel, /-linux-[\d.]+\/Image$/);
  assert.equal([boot.consoles, services.getty.serial], [["ttyAMA0,115200"], ["ttyAMA0"]]);
  // A definition takes their place, as it does with any default.
  assert.equal(make({ services: { getty: { serial: defaults([]) } } }).services.getty.serial, []);
  assert.is(system.build.shell, `${set.bash}`);
  const initrd = [...currentEvaluation().derivations.values()].find((text) =>
    text.includes(`"out","${system.build.initrd}"`),
  );
  assert.match(initrd ?? "", `${pkgs.bash}/bin/bash`);
  assert.match(initrd ?? "", `${set.busybox}/bin/busybox`);
});

test.run();
