import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { runPlain } from "./run-plain.ts";

function run(
  script: string,
  allowNewPrivileges = false,
): { output: () => string; process: ReturnType<typeof runPlain> } {
  let output = "";
  const process = runPlain({
    builder: "/bin/sh",
    args: ["-c", script],
    environment: [["ONLY", "this"]],
    directory: "/",
    output: undefined,
    receive: (chunk) => {
      output += chunk.toString();
    },
    allowNewPrivileges,
  });
  return { output: () => output, process };
}

test("runPlain() gives the builder its own environment, directory and both outputs", async () => {
  const { output, process } = run('echo "$ONLY $HOME $(pwd)"; echo error >&2; exit 3');
  assert.equal(await process.ended, { kind: "exited", code: 3 });
  assert.is(output(), "this  /\nerror\n");
});

test("runPlain() gives the builder its own mask for file modes, and ours stays", async () => {
  const before = process.umask(0o077);
  const { output, process: running } = run("umask");
  assert.is(process.umask(before), 0o077);
  await running.ended;
  assert.is(output(), "0022\n");
});

test("runPlain() ends everything the builder started", async () => {
  const { process } = run("sleep 60 & sleep 60");
  process.kill();
  assert.equal(await process.ended, { kind: "killed", signal: "SIGKILL" });
  const left = run("sleep 60 & exit 0");
  assert.equal(await left.process.ended, { kind: "exited", code: 0 });
});

test("runPlain() tells when the builder cannot be started", async () => {
  const start = (allowNewPrivileges: boolean): ReturnType<typeof runPlain> =>
    runPlain({
      ...{ builder: "/nope/builder", args: [], environment: [], directory: "/", output: undefined, receive: () => {} },
      allowNewPrivileges,
    });
  assert.equal(await start(true).ended, { kind: "not-started" });
  assert.equal(await start(false).ended, { kind: "exited", code: 127 });
});

test("runPlain() keeps programs from gaining rights, unless they may", async () => {
  for (const allowed of [false, true]) {
    const { output, process } = run(
      "while read line; do case $line in NoNewPrivs*) echo $line;; esac; done < /proc/self/status",
      allowed,
    );
    assert.equal(await process.ended, { kind: "exited", code: 0 });
    assert.is(output(), `NoNewPrivs: ${allowed ? 0 : 1}\n`);
  }
});

test("runPlain() does not run a builder that it cannot keep from gaining rights", () => {
  const before = process.env["PATH"];
  process.env["PATH"] = "/nowhere";
  try {
    assert.throws(
      () => run("true"),
      (error: CodedError) => error.code === "sandbox.no-setpriv",
    );
  } finally {
    process.env["PATH"] = before;
  }
});

test.run();
