import { execFileSync, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { mkdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/find-program.ts";
import { findEngine } from "./engine.ts";
import { makeQuestion } from "./locked-flake.ts";
import type { EvaluatorQuestion } from "./protocol.ts";
import { type ChildCommand, nodeCommand, sandboxCommand } from "./sandbox.ts";
import { flakeIn, makeFolder } from "./testing.ts";

const limits = { memoryMiB: 256 };
const folder = makeFolder({
  "flake/flake.config.ts": "1",
  "flake/.git/config": "secret",
  "flake/node_modules/x": "x",
  secret: "s",
});
const question = makeQuestion(flakeIn(`${folder}/flake`), { want: "value", attribute: "a", candidates: [["a"]] });

/** What code could do in this process that got out of its realm. */
async function attempt(command: ChildCommand): Promise<Record<string, string>> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const script = `
const { readFileSync, writeFileSync, readdirSync } = require("node:fs");
// What the process does first.
require("${findEngine()}/core/host/evaluator/child/forbid-code.ts").forbidCodeFromText();
const results = {};
const attempt = (name, run) => { try { run(); results[name] = "done"; } catch (error) { results[name] = error.code ?? error.message; } };
attempt("own", () => readFileSync("${folder}/flake/flake.config.ts"));
attempt("engine", () => readFileSync("${findEngine()}/core/base/index.ts"));
attempt("neighbour", () => readFileSync("${folder}/secret"));
attempt("git", () => readFileSync("${folder}/flake/.git/config"));
attempt("modules", () => readFileSync("${folder}/flake/node_modules/x"));
attempt("password", () => readFileSync("/etc/passwd"));
attempt("home", () => readdirSync("/root"));
attempt("write", () => writeFileSync("${folder}/flake/new", ""));
attempt("writeTemporary", () => writeFileSync("/tmp/floe-new", ""));
attempt("process", () => require("node:child_process").execFileSync(process.execPath, ["-e", "0"]));
attempt("thread", () => new (require("node:worker_threads").Worker)("", { eval: true }));
attempt("code", () => new Function("return 1")());
results.environment = Object.keys(process.env).filter((name) => !["TZ", "PWD"].includes(name)).join();
const socket = require("node:net").connect(${port}, "127.0.0.1");
socket.on("connect", () => { results.network = "done"; socket.destroy(); });
socket.on("error", (error) => { results.network = error.code; });
socket.on("close", () => console.log(JSON.stringify(results)));`;
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    const args = [...command.args.slice(0, -1), "-e", script];
    // Not synchronous: the server is in this process.
    import("node:child_process").then(({ execFile }) =>
      execFile(command.program, args, { env: { TZ: "UTC" }, cwd: "/" }, (_error, stdout, stderr) =>
        resolve({ stdout, stderr }),
      ),
    );
  });
  server.close();
  assert.ok(stdout.startsWith("{"), stderr);
  return JSON.parse(stdout) as Record<string, string>;
}

const READABLE = ["own", "engine"];
const DENIED = ["neighbour", "password", "home", "write", "writeTemporary", "process", "thread", "code"];

test("nodeCommand() lets code that left its realm read the sources, and do nothing else to files and processes", async () => {
  const results = await attempt(nodeCommand(question, limits));
  for (const name of READABLE) assert.is(results[name], "done", name);
  for (const name of DENIED) assert.is.not(results[name], "done", name);
  assert.is(results["password"], "ERR_ACCESS_DENIED");
  assert.is(results["environment"], "");
});

const bwrap = findProgram("bwrap");
const starts = bwrap !== undefined && spawnSync(bwrap, ["--unshare-all", "--ro-bind", "/", "/", "true"]).status === 0;

test("sandboxCommand() also takes away the network, and what of a checkout is no source", async () => {
  const command = sandboxCommand(question, limits);
  assert.is(command === undefined, bwrap === undefined);
  if (command === undefined || !starts) return;
  const results = await attempt(command);
  for (const name of READABLE) assert.is(results[name], "done", name);
  for (const name of [...DENIED, "git", "modules", "network"]) assert.is.not(results[name], "done", name);
});

test("nodeCommand() refuses folders that Node cannot tell apart; the sandbox can", () => {
  const parent = makeFolder({});
  for (const name of ["flake", "flake-2"]) mkdirSync(`${parent}/${name}`);
  const mounts = [
    ...question.mounts.slice(0, 1),
    ...["flake", "flake-2"].map((name) => ({ path: `${parent}/${name}`, hostPath: `${parent}/${name}`, name })),
  ];
  const clashing: EvaluatorQuestion = { ...question, mounts };
  assert.throws(
    () => nodeCommand(clashing, limits),
    (error: { code: string }) => error.code === "evaluation.cannot-confine",
  );
  if (bwrap !== undefined) assert.ok(sandboxCommand(clashing, limits)?.args.includes("--allow-fs-read=*"));
});

test("nodeCommand() keeps the folder of a flake readable when the engine lies inside of it", () => {
  const engine = findEngine();
  const inside = makeQuestion(flakeIn(engine), { want: "value", attribute: "a", candidates: [["a"]] });
  const { program, args } = nodeCommand(inside, limits);
  const script = `require("node:fs").readdirSync(${JSON.stringify(engine)}); require("node:fs").lstatSync(${JSON.stringify(engine)}); console.log("done")`;
  assert.is(execFileSync(program, [...args.slice(0, -1), "-e", script], { encoding: "utf8" }), "done\n");
});

test("nodeCommand() has no flag with which Node compiles its own modules anew", () => {
  const { args } = nodeCommand(question, limits);
  const flags = args.slice(0, -1).filter((arg) => !/^--(permission|allow-)/.test(arg));
  const script =
    'require("node:crypto"); console.log(require("internal/test/binding").internalBinding("builtins").getCacheUsage().compiledWithoutCache.size)';
  const { stdout } = spawnSync(process.execPath, [...flags, "--expose-internals", "--eval", script], {
    encoding: "utf8",
  });
  assert.is(stdout, "0\n");
});

test.run();
