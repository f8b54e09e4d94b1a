import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { BuildGroup, findMemoryControl } from "./control-group.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("groups of builds");

// As systemd has it, in a session of root and in a container with a part of the tree.
const SECOND = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
const PART = "29 22 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
const FIRST = "33 29 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";
const LISTS = "31 29 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

test("findMemoryControl() looks below our own group and beside it", () => {
  const groups = "0::/user.slice/user-0.slice/session-1.scope\n";
  const own = "/sys/fs/cgroup/user.slice/user-0.slice";
  const asked: string[] = [];
  const found = findMemoryControl({ groups, mounts: SECOND }, (directory) => {
    asked.push(directory);
    return directory === own;
  });
  assert.equal(asked, [`${own}/session-1.scope`, own]);
  assert.equal(found, { kind: "available", version: 2, directories: [own] });
  const inPart = findMemoryControl({ groups: "0::/box/a\n", mounts: PART }, () => true);
  assert.equal(inPart, { kind: "available", version: 2, directories: ["/sys/fs/cgroup/a", "/sys/fs/cgroup"] });
});

test("findMemoryControl() takes the first version where the limit of memory belongs to it", () => {
  const groups = "4:memory:/box/a\n1:cpu,cpuacct:/\n0::/\n";
  const directories = ["/sys/fs/cgroup/memory/box/a"];
  assert.equal(findMemoryControl({ groups, mounts: `${LISTS}\n${FIRST}` }), {
    kind: "available",
    version: 1,
    directories,
  });
});

test("findMemoryControl() says what is missing", () => {
  assert.equal(findMemoryControl({ groups: "0::/a\n", mounts: "" }), {
    kind: "missing",
    found: "no control groups are mounted",
  });
  const refused = findMemoryControl({ groups: "0::/a\n", mounts: SECOND }, () => false);
  assert.match(refused.kind === "missing" ? refused.found : "", 'neither "/sys/fs/cgroup/a" nor');
});

test("BuildGroup.make() fails with words where there can be none", () => {
  const code = (control: Parameters<typeof BuildGroup.make>[1]): string => {
    try {
      BuildGroup.make(1, control);
    } catch (error) {
      return (error as CodedError).code;
    }
    return "none";
  };
  assert.is(code({ kind: "missing", found: "nothing" }), "build.no-memory-limit");
  // Directories of another kind have no limits that could be set.
  assert.is(code({ kind: "available", version: 2, directories: ["/proc", "/tmp"] }), "build.no-memory-limit");
  assert.equal(
    readdirSync("/tmp").filter((name) => name.startsWith(`floe-build-${process.pid}-`)),
    [],
  );
});

const bench = await openBuildBench();
const control = findMemoryControl();
const unable = ((): string | undefined => {
  if (typeof bench === "string") return bench;
  if (control.kind === "missing") return control.found;
  try {
    BuildGroup.make(1 << 26, control).close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
})();

if (typeof bench === "string" || control.kind === "missing" || unable !== undefined) {
  console.log(`skipped in part: ${unable}`);
} else {
  const groups = (): string[] =>
    control.directories.flatMap((directory) => readdirSync(directory).filter((name) => name.startsWith("floe-build-")));

  test("a build whose processes need too much memory together ends, and leaves no group", async () => {
    // Each process alone is far below the limit.
    const hold = "dd if=/dev/zero of=/dev/null bs=24M count=1000000";
    const value = await bench.script(
      `for i in 1 2 3 4 5 6; do ${hold} & done 2>/dev/null; wait $!; sleep 30; touch $out`,
      {
        name: "greedy",
      },
    );
    const report = await bench.build(value, { maxMemoryBytes: 64 << 20, timeoutSeconds: 10 });
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.out-of-memory"]);
    assert.match(report.failures[0]?.error.message ?? "", "more than 67108864 bytes");
    assert.equal(groups(), []);
  });

  test("a build that needs less is built, one after the other and two at once", async () => {
    const values = await Promise.all(
      ["one", "two", "three"].map((name) => bench.script("echo small > $out", { name })),
    );
    const reports = await Promise.all(values.map((value) => bench.build(value, { maxMemoryBytes: 256 << 20 })));
    assert.equal(
      reports.map(({ exitCode }) => exitCode),
      [0, 0, 0],
    );
    assert.equal(groups(), []);
  });
}

test.after(() => {
  if (typeof bench !== "string") bench.close();
});
test.run();
