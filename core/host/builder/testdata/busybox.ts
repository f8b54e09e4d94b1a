import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseHash } from "../../../base/index.ts";
import { resolveMirrors } from "../../../fetch/index.ts";
import { fetchDebMember } from "../../fetch/deb-member.ts";
import { download } from "../../fetch/download.ts";
import { readFetchSettings } from "../../fetch/settings.ts";

/** Debian 12, amd64; the hash is that of the archive's package list. */
const PIN = {
  url: "mirror://debian/pool/main/b/busybox/busybox-static_1.35.0-4+deb12u1+b1_amd64.deb",
  hash: "sha256-PT/b6R1GYMhz4UsJLCE/6BwdpjYtqiNusl0BcesQh0Q=",
};

/** For the tests of later runs, each of which may have a TMPDIR of its own. */
const CACHES = existsSync("/tmp") ? "/tmp" : tmpdir();

/** A program that runs in an empty sandbox, and the package it comes from. */
export interface TestBusybox {
  readonly deb: string;
  readonly program: string;
}

/**
 * Debian's static busybox: from the cache of earlier tests, the mirror, or whatever version apt gives; a text says why there
 * is none.
 */
export async function findBusybox(): Promise<TestBusybox | string> {
  if (process.arch !== "x64") return "the test program is there for x86_64 only";
  const cache = `${CACHES}/floe-test-cache-${process.getuid?.() ?? 0}`;
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const deb = `${cache}/busybox-static.deb`;
  const program = `${cache}/busybox`;
  if (existsSync(program)) return { deb, program };
  const scratch = mkdtempSync(`${cache}/new-`);
  try {
    const got = (await fromMirror(`${scratch}/got.deb`)) ?? fromApt(scratch);
    if (got === undefined) return "busybox-static could be had neither from the Debian mirror nor by apt-get download";
    await fetchDebMember({ name: "busybox", file: got, member: "./bin/busybox", output: `${scratch}/busybox` });
    renameSync(got, deb);
    renameSync(`${scratch}/busybox`, program);
    return { deb, program };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function fromMirror(to: string): Promise<string | undefined> {
  try {
    const urls = resolveMirrors(PIN.url, readFetchSettings());
    const expected = parseHash(PIN.hash);
    const policy = { attempts: 2, baseDelayMs: 200, maxDelayMs: 1000 };
    const got = await download({ urls, to, algorithm: "sha256", expected, signal: AbortSignal.timeout(60_000), policy });
    return Buffer.compare(got.hash.digest, expected.digest) === 0 ? to : undefined;
  } catch {
    return undefined;
  }
}

function fromApt(directory: string): string | undefined {
  spawnSync("apt-get", ["download", "busybox-static"], { cwd: directory, stdio: "ignore", timeout: 60_000 });
  const name = readdirSync(directory).find((each) => each.startsWith("busybox-static_"));
  return name === undefined ? undefined : `${directory}/${name}`;
}

/** The bytes of the package, to serve them. */
export function readDeb(busybox: TestBusybox): Buffer {
  return readFileSync(busybox.deb);
}
