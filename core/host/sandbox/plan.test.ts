import { test } from "uvu";
import * as assert from "uvu/assert";
import { bubblewrapArguments } from "./bubblewrap-arguments.ts";
import { formatRun } from "./native-protocol.ts";
import { planSandbox } from "./plan.ts";
import type { SandboxSpec } from "./spec.ts";

const spec: SandboxSpec = {
  storeDirectory: "/s",
  inputs: [{ from: "/h/a", to: "a" }],
  buildDirectory: "/b",
  etcDirectory: "/e",
  environment: [["A", "1"]],
  network: false,
  devices: ["/dev/kvm"],
  shell: "/nix/store/x/bin/sh",
  readOnlyProc: ["/proc/sys"],
  maxProcesses: 100,
  maxFileBytes: 0,
  maxDataBytes: 0,
  allowNewPrivileges: false,
  filter: Uint8Array.of(1, 2, 3),
};

test("planSandbox() shows the store directory first and each input over it, then closes the root", () => {
  const steps = planSandbox(spec).map((step) => step.join(" "));
  assert.ok(steps.indexOf("bind /s /nix/store") < steps.indexOf("ro-bind /h/a /nix/store/a"));
  assert.ok(steps.indexOf("proc /proc") < steps.indexOf("ro-bind /proc/sys /proc/sys"));
  assert.ok(steps.indexOf("dev-bind /dev/kvm /dev/kvm") < steps.indexOf("remount-ro /dev"));
  assert.is(steps.at(-1), "remount-ro /");
  assert.equal(
    steps.filter((step) => /^(bind|tmpfs)/.test(step)),
    ["tmpfs /dev/shm 1777", "tmpfs /tmp 1777", "bind /b /build", "bind /s /nix/store"],
  );
});

test("bubblewrapArguments() shares the network only when asked", () => {
  const closed = bubblewrapArguments(spec, { status: 4, filter: 5 });
  assert.ok(closed.includes("--unshare-net"));
  const open = bubblewrapArguments({ ...spec, network: true }, { status: 4, filter: 5 });
  assert.not.ok(open.includes("--unshare-net"));
  const text = open.join(" ");
  for (const part of [
    ...["--ro-bind /h/a /nix/store/a", "--bind /b /build", "--perms 1777 --tmpfs /tmp", "--perms 0755 --dir /nix"],
    ...["--clearenv --setenv A 1", "--seccomp 5", "--json-status-fd 4"],
  ]) {
    assert.match(text, part);
  }
});

test("formatRun() says every step in the words of the plan", () => {
  const request = formatRun(
    7,
    { spec, builder: "/bin/x", args: ["a b"], scratchDirectory: "/t", receive: () => {} },
    true,
  );
  assert.is(request.readUInt32LE(0), request.length - 4);
  const words: string[] = [];
  for (let at = 4; at < request.length; ) {
    const size = request.readUInt32LE(at);
    words.push(request.subarray(at + 4, at + 4 + size).toString("latin1"));
    assert.is(request[at + 4 + size], 0);
    at += 5 + size;
  }
  assert.equal(words.slice(0, 2), ["run", "7"]);
  const text = words.join(" ");
  for (const step of planSandbox(spec)) assert.match(text, step.join(" "));
  for (const part of ["env A=1", "builder /bin/x", "arg a b", "processes 100", "seccomp \u0001\u0002\u0003"])
    assert.match(text, part);
});

test.run();
