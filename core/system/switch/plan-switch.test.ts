import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type PlanSwitchOptions,
  type SwitchPlan,
  type UnitSource,
  MASKED_UNIT,
  parseFstab,
  parseUnit,
  planSwitch,
} from "./index.ts";

type Units = Readonly<Record<string, string>>;

function source(units: Units, fstab = ""): UnitSource {
  return {
    find: (name) => {
      const text = units[name];
      if (text === undefined) return undefined;
      return { ...(text === "masked" ? MASKED_UNIT : parseUnit(text)), own: !text.startsWith("# package") };
    },
    fstab: parseFstab(fstab),
  };
}

/** Plan with the named units running; gives only the lists that are not empty. */
function plan(
  running: readonly string[],
  before: Units,
  after: Units,
  more: { fstab?: readonly [string, string]; pending?: PlanSwitchOptions["pending"] } = {},
): Partial<SwitchPlan> {
  const [fstabBefore, fstabAfter] = more.fstab ?? ["", ""];
  const result = planSwitch({
    loaded: running.map((name) => ({ name, active: "active", sub: "running" })),
    current: source(before, fstabBefore),
    next: source(after, fstabAfter),
    ...(more.pending === undefined ? {} : { pending: more.pending }),
  });
  return Object.fromEntries(
    Object.entries(result).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value)),
  );
}

const service = (exec: string, unit = "") => `[Unit]\n${unit}\n[Service]\nExecStart=${exec}\n`;

test("a unit that did not change is left alone", () => {
  assert.equal(plan(["a.service"], { "a.service": service("/a") }, { "a.service": service("/a") }), {});
});

test("a changed service follows its X-OnChange", () => {
  const change = (policy: string, extra = "") =>
    plan(["a.service"], { "a.service": service("/a") }, { "a.service": service("/b", `X-OnChange=${policy}`) + extra });
  assert.equal(change("stop-start"), { stop: ["a.service"], start: ["a.service"] });
  assert.equal(change("restart"), { restart: ["a.service"] });
  assert.equal(change("ignore"), { keep: ["a.service"] });
  assert.equal(change("reload", "ExecReload=/r\n"), { reload: ["a.service"] });
  // Without a way to reload it has to be restarted to change at all.
  assert.equal(change("reload"), { restart: ["a.service"] });
});

test("a unit of a package, without a policy, is restarted", () => {
  assert.equal(plan(["a.service"], { "a.service": service("/a") }, { "a.service": service("/b") }), {
    restart: ["a.service"],
  });
});

test("reload triggers reload what can be reloaded, whatever the policy for real changes", () => {
  const at = (conf: string) => `${service("/a", `X-OnChange=restart\nX-Reload-Triggers=${conf}`)}ExecReload=/r\n`;
  assert.equal(plan(["a.service"], { "a.service": at("one") }, { "a.service": at("two") }), { reload: ["a.service"] });
});

test("a unit that is gone or masked is stopped, unless it says otherwise", () => {
  const before = { "a.service": service("/a") };
  assert.equal(plan(["a.service"], before, {}), { stop: ["a.service"] });
  assert.equal(plan(["a.service"], before, { "a.service": "masked" }), { stop: ["a.service"] });
  assert.equal(plan(["a.service"], { "a.service": service("/a", "X-StopOnRemoval=false") }, {}), {});
  assert.equal(plan(["x.scope", "dev-vda.device"], {}, {}), {});
});

test("a unit that only the manager's package still offers is stopped; one that always came from there is not", () => {
  const offered = `# package\n${service("/a")}`;
  assert.equal(plan(["a.service"], { "a.service": service("/a") }, { "a.service": offered }), { stop: ["a.service"] });
  assert.equal(plan(["a.service"], { "a.service": offered }, { "a.service": offered }), {});
  assert.equal(plan(["a.service"], { "a.service": offered }, { "a.service": service("/a") }), {});
});

test("units that do not run are not touched", () => {
  const result = planSwitch({
    loaded: [
      { name: "a.service", active: "inactive", sub: "dead" },
      { name: "b.service", active: "failed", sub: "failed" },
    ],
    current: source({ "a.service": service("/a"), "b.service": service("/b") }),
    next: source({ "a.service": service("/c") }),
  });
  assert.equal(result, { stop: [], keep: [], reload: [], restart: [], start: [], swapOff: [], reexecute: false });
});

test("active targets are started again, so that what is new in them starts", () => {
  const targets = {
    "multi-user.target": "[Unit]\n",
    "shutdown.target": "[Unit]\n",
    "odd.target": "[Unit]\nRefuseManualStart=yes\n",
  };
  assert.equal(plan(Object.keys(targets), targets, targets), { start: ["multi-user.target"] });
  const manual = {
    "a.target": "[Unit]\nX-OnlyManualStart=true\n",
    "b.target": "[Unit]\nX-StopOnReconfiguration=true\n",
  };
  assert.equal(plan(Object.keys(manual), manual, manual), { stop: ["b.target"], start: ["b.target"] });
});

test("core targets, slices, paths and the root are never stopped or restarted", () => {
  const before = {
    "basic.target": "[Unit]\n",
    "user.slice": "[Slice]\nA=1\n",
    "a.path": "[Path]\nA=1\n",
    "-.mount": "[Mount]\nWhat=a\n",
  };
  const after = { "user.slice": "[Slice]\nA=2\n", "a.path": "[Path]\nA=2\n", "-.mount": "[Mount]\nWhat=b\n" };
  assert.equal(plan(Object.keys(before), before, after), {});
});

test("a manual unit keeps running", () => {
  const after = { "a.service": service("/b", "RefuseManualStop=true") };
  assert.equal(plan(["a.service"], { "a.service": service("/a") }, after), { keep: ["a.service"] });
});

test("a socket-activated service is cycled through its socket", () => {
  const before = { "a.service": service("/a"), "a.socket": "[Socket]\nListenStream=1\n" };
  const after = { "a.service": service("/b"), "a.socket": "[Socket]\nListenStream=2\n" };
  assert.equal(plan(["a.service", "a.socket"], before, after), {
    stop: ["a.service", "a.socket"],
    start: ["a.socket"],
  });
  // A socket alone waits for its service; one that is not running has nothing to cycle.
  assert.equal(plan(["a.socket"], before, after), {});
  assert.equal(plan(["a.service"], before, after), { restart: ["a.service"] });
  const apart = { ...after, "a.service": `${service("/b")}X-NotSocketActivated=true\n` };
  assert.equal(plan(["a.service", "a.socket"], before, apart), { restart: ["a.service"] });
  const named = { "b.service": `${service("/b")}Sockets=a.socket\n`, "a.socket": "[Socket]\n" };
  assert.equal(plan(["b.service", "a.socket"], { "b.service": service("/a") }, named), {
    stop: ["a.socket", "b.service"],
    start: ["a.socket"],
  });
});

test("mount units: options are reloaded, a new device is mounted again", () => {
  const mount = (what: string, options: string) => ({ "mnt.mount": `[Mount]\nWhat=${what}\nOptions=${options}\n` });
  assert.equal(plan(["mnt.mount"], mount("a", "ro"), mount("a", "rw")), { reload: ["mnt.mount"] });
  assert.equal(plan(["mnt.mount"], mount("a", "ro"), mount("b", "ro")), { restart: ["mnt.mount"] });
});

test("fstab: mounts that are gone are unmounted, changed ones follow, swap is turned off", () => {
  const before = "a /gone ext4\nb /opts ext4 ro\nc /dev\\040x ext4\nd / ext4\ne none swap\nf none swap\n";
  const after = "b /opts ext4 rw\nc2 /dev\\040x ext4\nf none swap\n";
  const running = ["gone.mount", "opts.mount", "dev\\x20x.mount", "-.mount"];
  assert.equal(plan(running, {}, {}, { fstab: [before, after] }), {
    stop: ["gone.mount"],
    reload: ["opts.mount"],
    restart: ["dev\\x20x.mount"],
    swapOff: ["e"],
  });
});

test("a service that reloads by a notification needs no ExecReload", () => {
  const unit = (trigger: string) => service("/a\nType=notify-reload", `X-Reload-Triggers=${trigger}`);
  assert.equal(plan(["a.service"], { "a.service": unit("/1") }, { "a.service": unit("/2") }), {
    reload: ["a.service"],
  });
});

test("what an interrupted switch left is done, and each unit gets one verb", () => {
  const change = plan(
    ["a.service"],
    { "a.service": service("/a") },
    {
      "a.service": service("/b", "X-OnChange=stop-start"),
      "b.service": service("/b"),
      "c.service": service("/c"),
      "d.service": service("/d"),
    },
    {
      pending: {
        start: ["b.service", "gone.service"],
        restart: ["a.service", "c.service"],
        reload: ["a.service", "c.service", "d.service", "data.mount"],
      },
    },
  );
  assert.equal(change, {
    stop: ["a.service"],
    start: ["a.service", "b.service"],
    restart: ["c.service"],
    reload: ["d.service", "data.mount"],
  });
});

test("the manager executes itself anew when it changed", () => {
  const empty = source({});
  assert.is(planSwitch({ loaded: [], current: empty, next: empty, managerChanged: true }).reexecute, true);
});

test.run();
