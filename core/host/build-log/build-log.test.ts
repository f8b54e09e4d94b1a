import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BuildLogWriter, LogLines, type LogItem, logPathOf, readBuildLog } from "./index.ts";

const logDirectory = mkdtempSync(`${tmpdir()}/floe-log-`);
const DRV = "/nix/store/yyadlghss13dlm13nkaq81ivh2fhybh6-one.drv";

test("logPathOf() is Nix's place", () => {
  assert.is(logPathOf("/nix/var/log/nix", DRV), "/nix/var/log/nix/drvs/yy/adlghss13dlm13nkaq81ivh2fhybh6-one.drv");
});

test("BuildLogWriter keeps small and large logs, readBuildLog() gives them back", async () => {
  const large = Buffer.from(Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join(""));
  for (const content of [Buffer.alloc(0), Buffer.from("one\ntwo\n"), large]) {
    const log = new BuildLogWriter(logDirectory, DRV);
    for (let at = 0; at < content.length; at += 4096) log.write(content.subarray(at, at + 4096));
    assert.is(log.sizeBytes, content.length);
    await log.close();
    assert.ok((await readBuildLog({ logDirectory }, DRV))?.equals(content));
  }
  assert.ok(readFileSync(`${logPathOf(logDirectory, DRV)}.zst`).length < large.length / 3);
});

test("a log that cannot be written fails when it is closed, not in between", async () => {
  const folder = `${logDirectory}/unwritable`;
  writeFileSync(folder, "no folder");
  const log = new BuildLogWriter(folder, DRV);
  log.write(Buffer.alloc(100_000, "x"));
  log.write(Buffer.from("more"));
  const error = await log.close().catch((thrown: { code: string }) => thrown);
  assert.is((error as { code: string }).code, "ENOTDIR");
});

test("readBuildLog() gives what there is of a log whose writer was killed", async () => {
  const path = `${logPathOf(logDirectory, DRV)}.zst`;
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 20));
  assert.match(String(await readBuildLog({ logDirectory }, DRV)), /^line 0\nline 1\n/);
});

test("readBuildLog() refuses what is no log, and has nothing for what was never built", async () => {
  writeFileSync(`${logPathOf(logDirectory, DRV)}.zst`, "this is no compressed data at all");
  const error = await readBuildLog({ logDirectory }, DRV).catch((thrown: { code: string }) => thrown);
  assert.is((error as { code: string }).code, "build-log.unreadable");
  assert.is(await readBuildLog({ logDirectory }, "/nix/store/00adlghss13dlm13nkaq81ivh2fhybh6-two.drv"), undefined);
});

test("readBuildLog() reads the plain logs of Nix", async () => {
  const drv = "/nix/store/11adlghss13dlm13nkaq81ivh2fhybh6-three.drv";
  mkdirSync(`${logDirectory}/drvs/11`, { recursive: true });
  writeFileSync(logPathOf(logDirectory, drv), "plain\n");
  assert.is(String(await readBuildLog({ logDirectory }, drv)), "plain\n");
  rmSync(logDirectory, { recursive: true });
});

function lines(...chunks: (string | Buffer)[]): { items: LogItem[]; tail: readonly string[] } {
  const items: LogItem[] = [];
  const log = new LogLines((item) => items.push(item), 3);
  for (const chunk of chunks) log.write(Buffer.from(chunk));
  log.end();
  return { items, tail: log.tail() };
}

test("LogLines cuts lines across chunks and characters", () => {
  const bytes = Buffer.from("aé\nb");
  const { items } = lines(bytes.subarray(0, 2), bytes.subarray(2));
  assert.equal(items, [
    { kind: "line", text: "aé" },
    { kind: "line", text: "b" },
  ]);
});

test("LogLines reads phases and leaves them out of the tail", () => {
  const { items, tail } = lines(`@nix {"action":"setPhase","phase":"install"}\n@nix nonsense\nx\n`);
  assert.equal(items, [
    { kind: "phase", phase: "install" },
    { kind: "line", text: "x" },
  ]);
  assert.equal(tail, ["x"]);
});

test("LogLines shows lines as a terminal would leave them, without control sequences", () => {
  const { tail } = lines("10%\r20%\rdone\r\n\u001b[1;31mred\u001b[0m\u0007\n\u001b]0;title\u0007text\n");
  assert.equal(tail, ["done", "red", "text"]);
});

test("LogLines keeps the last lines", () => {
  assert.equal(lines("1\n2\n3\n4\n").tail, ["2", "3", "4"]);
});

test.run();
