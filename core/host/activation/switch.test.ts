import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LoadedUnit } from "../../system/switch/index.ts";
import { Profile } from "../profile/index.ts";
import {
  type SwitchHost,
  type SwitchOptions,
  parseUnitList,
  deleteGenerations,
  switchPaths,
  switchSystem,
  withSwitchLock,
} from "./index.ts";

/** A machine in a temporary directory: systems are real trees, and the host writes down what it is asked to do. */
class TestMachine {
  readonly root = mkdtempSync(join(tmpdir(), "floe-switch-"));
  readonly paths = switchPaths(this.root);
  readonly profile = new Profile(this.paths.profiles, "system");
  readonly acts: string[] = [];
  readonly words: string[] = [];
  units: LoadedUnit[] = [];
  activation: (toplevel: string) => number = () => 0;

  constructor() {
    mkdirSync(this.paths.profiles, { recursive: true });
    this.addSystem("one", { "a.service": "[Unit]\nX-OnChange=stop-start\n[Service]\nExecStart=/one\n" });
    this.profile.create("/nix/store/one");
    this.profile.switchTo(1);
    this.activateReally("/nix/store/one");
    symlinkSync(`${this.root}/nix/store/one`, this.paths.bootedSystem);
    this.units = [{ name: "a.service", active: "active", sub: "running" }];
  }

  addSystem(name: string, units: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}): void {
    const files: Record<string, string> = {
      activate: "",
      init: "",
      "init-interface-version": "systemd 1\n",
      "etc/floe/boot-loader.json": JSON.stringify({ enable: true, copyKernels: false, limit: 5, timeoutSeconds: 1 }),
      "etc/systemd/system/.keep": "",
      "boot.json": JSON.stringify({
        "org.nixos.bootspec.v1": {
          kernel: "/k",
          initrd: "/i",
          init: `/nix/store/${name}/init`,
          kernelParams: [],
          label: name,
          system: "x",
          toplevel: `/nix/store/${name}`,
        },
      }),
      ...more,
    };
    for (const [unit, text] of Object.entries(units)) files[`etc/systemd/system/${unit}`] = text;
    for (const [file, text] of Object.entries(files)) {
      const path = join(this.root, "nix/store", name, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  activateReally(toplevel: string): void {
    rmSync(this.paths.currentSystem, { force: true });
    mkdirSync(dirname(this.paths.currentSystem), { recursive: true });
    symlinkSync(`${this.root}${toplevel}`, this.paths.currentSystem);
    rmSync(this.paths.etc, { force: true });
    symlinkSync(`${this.root}${toplevel}/etc`, this.paths.etc);
  }

  get host(): SwitchHost {
    const act = (text: string) => {
      this.acts.push(text);
      return 0;
    };
    return {
      listUnits: () => this.units,
      systemctl: (...words) => act(words.join(" ")),
      property: () => "1",
      activate: (toplevel, action) => {
        act(`activate ${toplevel.slice(this.root.length)} ${action}`);
        const short = toplevel.slice(this.root.length);
        const status = this.activation(short);
        this.activateReally(short);
        return status;
      },
      swapOff: (device) => act(`swapoff ${device}`),
      sleep: () => {},
    };
  }

  run(mode: SwitchOptions["mode"], target: SwitchOptions["target"], specialisation?: string) {
    this.acts.length = 0;
    return switchSystem({
      mode,
      target,
      specialisation,
      paths: this.paths,
      host: this.host,
      say: (line) => this.words.push(line),
      root: this.root,
    });
  }

  current(): string {
    return readlinkSync(this.profile.path);
  }

  loaderConf(): string {
    return readFileSync(join(this.paths.boot, "loader/loader.conf"), "utf8");
  }
}

const toplevel = (name: string) => ({ kind: "toplevel", path: `/nix/store/${name}` }) as const;
const TWO = { "a.service": "[Unit]\nX-OnChange=stop-start\n[Service]\nExecStart=/two\n", "multi-user.target": "" };

function withMachine(run: (machine: TestMachine) => void): () => void {
  return () => {
    const machine = new TestMachine();
    try {
      run(machine);
    } finally {
      rmSync(machine.root, { recursive: true });
    }
  };
}

test(
  "switchSystem(): stop, activate, reload the manager, start, then commit",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    const result = machine.run("switch", toplevel("two"));
    assert.is(result.exitCode, 0);
    assert.is(result.generation, 2);
    assert.equal(machine.acts, [
      "stop -- a.service",
      "activate /nix/store/two switch",
      "daemon-reload",
      "start -- a.service",
    ]);
    assert.is(machine.current(), "system-2-link");
    assert.is(machine.loaderConf(), "timeout 1\ndefault floe-generation-2.conf\n");
    assert.ok(existsSync(join(machine.paths.boot, "loader/entries/floe-generation-1.conf")));
    assert.not(existsSync(join(machine.paths.run, "start-list")));
  }),
);

test(
  "switchSystem(): `boot` touches nothing that runs, `test` nothing that boots",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    assert.is(machine.run("test", toplevel("two")).generation, undefined);
    assert.is(machine.current(), "system-1-link");
    assert.is(machine.profile.list().length, 1);
    assert.is(machine.run("boot", toplevel("two")).exitCode, 0);
    assert.equal(machine.acts, []);
    assert.is(machine.current(), "system-2-link");
  }),
);

test(
  "switchSystem(): `dry-activate` says what would happen, and does nothing else",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.activation = () => 0;
    const before = readlinkSync(machine.paths.currentSystem);
    machine.host;
    const result = switchSystem({
      mode: "dry-activate",
      target: toplevel("two"),
      paths: machine.paths,
      host: {
        ...machine.host,
        activate: (path, action) => void machine.acts.push(`${path.slice(machine.root.length)} ${action}`) as never,
      },
      say: (line) => machine.words.push(line),
      root: machine.root,
    });
    assert.is(result.exitCode, 0);
    assert.equal(machine.acts, ["/nix/store/two dry-activate"]);
    assert.ok(machine.words.includes("would stop the following units: a.service"));
    assert.ok(machine.words.includes("would start the following units: a.service"));
    assert.is(readlinkSync(machine.paths.currentSystem), before);
    assert.is(machine.profile.list().length, 1);
  }),
);

test(
  "switchSystem(): a failed activation brings the old system back, and leaves no generation",
  withMachine((machine) => {
    machine.addSystem("broken", TWO);
    machine.activation = (name) => (name === "/nix/store/broken" ? 2 : 0);
    const result = machine.run("switch", toplevel("broken"));
    assert.is(result.exitCode, 2);
    assert.equal(machine.acts, [
      "stop -- a.service",
      "activate /nix/store/broken switch",
      "activate /nix/store/one switch",
      "daemon-reload",
      "start -- a.service",
    ]);
    assert.is(machine.current(), "system-1-link");
    assert.equal(
      machine.profile.list().map(({ number }) => number),
      [1],
    );
    assert.is(readlinkSync(machine.paths.currentSystem), `${machine.root}/nix/store/one`);
    assert.not(existsSync(join(machine.paths.boot, "loader/loader.conf")));
  }),
);

test(
  "switchSystem(): failed units give 4, and the switch stands",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.activation = () => {
      machine.units = [
        { name: "b.service", active: "failed", sub: "failed" },
        { name: "c.service", active: "activating", sub: "auto-restart" },
      ];
      return 0;
    };
    const result = machine.run("switch", toplevel("two"));
    assert.is(result.exitCode, 4);
    assert.equal(result.failedUnits, ["b.service", "c.service"]);
    assert.is(machine.current(), "system-2-link");
  }),
);

test(
  "switchSystem(): a reload that fails gives 4, though no unit has failed",
  withMachine((machine) => {
    const unit = (trigger: string) => `[Unit]\nX-Reload-Triggers=${trigger}\n[Service]\nExecReload=/r\n`;
    machine.addSystem("one", { "r.service": unit("/a") });
    machine.addSystem("two", { "r.service": unit("/b") });
    machine.units = [{ name: "r.service", active: "active", sub: "running" }];
    const { paths, root, host } = machine;
    const refusing = { ...host, systemctl: (verb: string) => (verb === "reload" ? 1 : 0) };
    const options = { mode: "switch", target: toplevel("two"), paths, root, host: refusing } as const;
    const words: string[] = [];
    const result = switchSystem({ ...options, say: (line) => words.push(line) });
    assert.is(result.exitCode, 4);
    assert.equal(result.failedUnits, []);
    assert.is(machine.current(), "system-2-link");
    assert.ok(words.includes("warning: systemctl reload ended with status 1 for: r.service"));
  }),
);

test(
  "switchSystem(): going to an older generation makes no new one",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.run("switch", toplevel("two"));
    assert.is(machine.run("switch", { kind: "generation", number: 1 }).generation, 1);
    assert.is(machine.current(), "system-1-link");
    assert.is(machine.profile.list().length, 2);
    // The newest is the same: it is taken again, and becomes the default.
    assert.is(machine.run("switch", toplevel("two")).generation, 2);
  }),
);

test(
  "switchSystem(): another init interface needs a reboot",
  withMachine((machine) => {
    machine.addSystem("new", TWO, { "init-interface-version": "systemd 2\n" });
    const result = machine.run("switch", toplevel("new"));
    assert.is(result.exitCode, 100);
    assert.equal(machine.acts, []);
    assert.is(machine.profile.list().length, 1);
    assert.is(machine.run("boot", toplevel("new")).exitCode, 0);
  }),
);

test(
  "switchSystem(): old failures are forgotten, and a changed manager executes itself anew",
  withMachine((machine) => {
    machine.addSystem("two", TWO, { "etc/systemd/system.conf": "[Manager]\nShowStatus=no\n" });
    machine.units = [...machine.units, { name: "b.service", active: "failed", sub: "failed" }];
    machine.run("switch", toplevel("two"));
    assert.equal(machine.acts.slice(2, 4), ["daemon-reexec", "reset-failed"]);
  }),
);

test(
  "switchSystem(): an interrupted switch is taken up, and activation may ask for restarts",
  withMachine((machine) => {
    machine.addSystem("two", { ...TWO, "left.service": "[Service]\nExecStart=/left\n" });
    mkdirSync(machine.paths.run, { recursive: true });
    writeFileSync(join(machine.paths.run, "start-list"), "left.service\n");
    writeFileSync(join(machine.paths.run, "activation-restart-list"), "asked.service\n");
    machine.run("switch", toplevel("two"));
    assert.ok(machine.acts.includes("restart -- asked.service"));
    assert.ok(machine.acts.includes("start -- a.service left.service"));
    assert.not(existsSync(join(machine.paths.run, "activation-restart-list")));
  }),
);

test(
  "switchSystem(): lists are written before anything is done",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.activation = () => {
      assert.is(readFileSync(join(machine.paths.run, "start-list"), "utf8"), "a.service\n");
      return 0;
    };
    machine.run("switch", toplevel("two"));
  }),
);

test(
  "switchSystem(): a generation points to the store path, however the system was named",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    symlinkSync(`${machine.root}/nix/store/two`, join(machine.root, "result"));
    const { generation } = machine.run("switch", { kind: "toplevel", path: "/result" });
    assert.is(generation, 2);
    assert.is(machine.profile.get(2).target, "/nix/store/two");
    mkdirSync(join(machine.root, "home/system/etc"), { recursive: true });
    for (const name of ["activate", "init"]) writeFileSync(join(machine.root, "home/system", name), "");
    assert.throws(
      () => machine.run("boot", { kind: "toplevel", path: "/home/system" }),
      (error: { code: string }) => error.code === "system.not-a-system",
    );
    assert.is(machine.current(), "system-2-link");
  }),
);

test(
  "switchSystem(): an activation that cannot even be started is one that failed",
  withMachine((machine) => {
    machine.addSystem("broken", TWO);
    machine.activation = (name) => {
      if (name === "/nix/store/broken") throw new Error("spawn ENOENT");
      return 0;
    };
    assert.is(machine.run("switch", toplevel("broken")).exitCode, 2);
    assert.is(machine.acts.at(-1), "start -- a.service");
    assert.is(machine.profile.list().length, 1);
  }),
);

test(
  "switchSystem(): says so when the old system cannot be activated again, and still starts what it stopped",
  withMachine((machine) => {
    machine.addSystem("broken", TWO);
    machine.activation = () => 2;
    assert.is(machine.run("switch", toplevel("broken")).exitCode, 2);
    assert.ok(machine.words.some((line) => line.includes("the old system could not be activated again")));
    assert.is(machine.acts.at(-1), "start -- a.service");
    assert.is(machine.current(), "system-1-link");
  }),
);

test(
  "switchSystem(): what an interrupted switch stopped runs again when the next one fails",
  withMachine((machine) => {
    machine.addSystem("broken", TWO);
    machine.units = [];
    mkdirSync(machine.paths.run, { recursive: true });
    writeFileSync(join(machine.paths.run, "start-list"), "a.service\n");
    machine.activation = (name) => (name === "/nix/store/broken" ? 2 : 0);
    assert.is(machine.run("switch", toplevel("broken")).exitCode, 2);
    assert.is(machine.acts.at(-1), "start -- a.service");
  }),
);

test(
  "switchSystem(): a manager that an interrupted switch did not get to execute anew is executed by the next",
  withMachine((machine) => {
    machine.addSystem("two", TWO, { "etc/systemd/system.conf": "[Manager]\nShowStatus=no\n" });
    const cut = { ...machine.host, systemctl: (verb: string) => (verb === "daemon-reexec" ? killed() : 0) };
    const { paths, root } = machine;
    const options = { mode: "switch", target: toplevel("two"), paths, say: () => {}, root } as const;
    assert.throws(() => switchSystem({ ...options, host: cut }), /killed/);
    machine.run("switch", toplevel("two"));
    assert.ok(machine.acts.includes("daemon-reexec"));
    machine.run("switch", toplevel("two"));
    assert.not(machine.acts.includes("daemon-reexec"));
  }),
);

test(
  "switchSystem(): a switch that is killed leaves no generation that a rollback could take",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.addSystem("three", TWO);
    const { paths, root } = machine;
    const host = { ...machine.host, systemctl: killed };
    const options = { mode: "switch", target: toplevel("two"), paths, say: () => {}, root, host } as const;
    assert.throws(() => switchSystem(options), /killed/);
    assert.is(machine.profile.list().length, 1);
    assert.is(readlinkSync(join(paths.gcRoots, "switching")), "/nix/store/two");
    assert.is(machine.run("switch", toplevel("three")).generation, 2);
    assert.not(existsSync(join(paths.gcRoots, "switching")));
  }),
);

test(
  "switchSystem(): only what became the default is told as the generation",
  withMachine((machine) => {
    for (const mode of ["test", "dry-activate"] as const)
      assert.is(machine.run(mode, { kind: "generation", number: 1 }).generation, undefined);
    assert.is(machine.run("switch", { kind: "generation", number: 1 }).generation, 1);
  }),
);

function killed(): never {
  throw new Error("killed");
}

test(
  "system.not-a-system, profile.no-generation",
  withMachine((machine) => {
    assert.throws(
      () => machine.run("switch", toplevel("none")),
      (error: { code: string }) => error.code === "system.not-a-system",
    );
    assert.throws(
      () => machine.run("switch", { kind: "generation", number: 7 }),
      (error: { code: string }) => error.code === "profile.no-generation",
    );
  }),
);

test(
  "switchSystem(): a boot menu that cannot be written gives 1",
  withMachine((machine) => {
    const copying = { enable: true, copyKernels: true, limit: 5, timeoutSeconds: 1 };
    machine.addSystem("big", TWO, { "etc/floe/boot-loader.json": JSON.stringify(copying) });
    // A kernel that is not there cannot be copied: an error of the boot menu, and not of the switch.
    const result = machine.run("switch", toplevel("big"));
    assert.is(result.exitCode, 1);
    assert.is(machine.current(), "system-2-link");
    // No folder of this test is one that UEFI reads.
    const loader = { program: "/nix/store/boot/x64.efi", processor: "x64", editor: false };
    machine.addSystem("menu", TWO, { "etc/floe/boot-loader.json": JSON.stringify({ ...copying, loader }) });
    assert.is(machine.run("switch", toplevel("menu")).exitCode, 1);
    assert.match(machine.words.at(-2) ?? "", "the boot menu could not be written: Cannot write the boot menu");
    assert.match(machine.words.at(-1) ?? "", "  hint: Mount the EFI system partition there");
  }),
);

test(
  "deleteGenerations(): all or none, and the boot menu first",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.addSystem("three", TWO);
    machine.run("boot", toplevel("two"));
    machine.run("boot", toplevel("three"));
    const { paths, root, profile } = machine;
    const forget = (...numbers: number[]) => deleteGenerations({ numbers, paths, root, say: () => {} });
    const left = () => profile.list().map(({ number }) => number);
    assert.throws(
      () => forget(1, 3),
      (error: { code: string }) => error.code === "profile.current",
    );
    assert.throws(
      () => forget(1, 9),
      (error: { code: string }) => error.code === "profile.no-generation",
    );
    assert.equal(left(), [1, 2, 3]);
    forget(1, 2, 2);
    assert.equal(left(), [3]);
    assert.equal(readdirSync(join(paths.boot, "loader/entries")), ["floe-generation-3.conf"]);
  }),
);

test(
  "system.locked: a second switch fails at once",
  withMachine((machine) => {
    withSwitchLock(machine.paths.run, () => {
      machine.addSystem("two", TWO);
      assert.throws(
        () => machine.run("switch", toplevel("two")),
        (error: { code: string }) => error.code === "system.locked",
      );
    });
    assert.is(machine.run("switch", toplevel("two")).exitCode, 0);
  }),
);

test(
  "system.cannot-run: a program that a switch needs is missing",
  withMachine((machine) => {
    const path = process.env["PATH"];
    process.env["PATH"] = "/nowhere";
    try {
      assert.throws(
        () => withSwitchLock(machine.paths.run, () => assert.unreachable("nothing runs without the lock")),
        (error: { code: string; message: string }) =>
          error.code === "system.cannot-run" && error.message.startsWith('Cannot run "flock"'),
      );
    } finally {
      process.env["PATH"] = path;
    }
  }),
);

test("parseUnitList() reads what systemctl prints", () => {
  // systemctl list-units --all --full --plain --no-legend, systemd 252
  const text =
    "  proc-sys.mount loaded active mounted Some words\n● bad.service loaded failed failed Bad\nx.service not-found inactive dead x.service\n\n";
  assert.equal(parseUnitList(text), [
    { name: "proc-sys.mount", active: "active", sub: "mounted" },
    { name: "bad.service", active: "failed", sub: "failed" },
    { name: "x.service", active: "inactive", sub: "dead" },
  ]);
});

test(
  "a specialisation runs, while its parent is the generation that boots",
  withMachine((machine) => {
    machine.addSystem("two", TWO);
    machine.addSystem("loud", { "a.service": "[Service]\nExecStart=/loud\n", "multi-user.target": "" });
    const folder = join(machine.root, "nix/store/two/specialisation");
    mkdirSync(folder);
    symlinkSync("/nix/store/loud", join(folder, "loud"));
    assert.is(machine.run("switch", toplevel("two"), "loud").exitCode, 0);
    assert.ok(machine.acts.includes("activate /nix/store/loud switch"));
    assert.not.ok(machine.acts.some((act) => act.startsWith("activate /nix/store/two")));
    assert.is(readlinkSync(machine.paths.currentSystem), `${machine.root}/nix/store/loud`);
    assert.is(machine.profile.get(2).target, "/nix/store/two");
    assert.match(machine.loaderConf(), "default floe-generation-2.conf");
    assert.is(machine.run("test", { kind: "generation", number: 2 }, "loud").exitCode, 0);
    assert.is(machine.run("switch", { kind: "generation", number: 2 }).exitCode, 0);
    assert.is(readlinkSync(machine.paths.currentSystem), `${machine.root}/nix/store/two`);
    assert.throws(
      () => machine.run("switch", toplevel("two"), "luod"),
      (error: { code: string; hint: string }) =>
        error.code === "system.no-specialisation" && error.hint === 'Did you mean "loud"?',
    );
    assert.throws(
      () => machine.run("switch", { kind: "generation", number: 1 }, "loud"),
      (error: { code: string }) => error.code === "system.no-specialisation",
    );
  }),
);

test.run();
