import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentClient } from "../../vm-tests/driver/index.ts";
import { MachineHost } from "../../vm-tests/driver/machine-host.ts";
import type { VmTestManifest } from "../../vm-tests/index.ts";
import { median, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const FLAKE = fileURLToPath(new URL("../..", import.meta.url));
const ROUNDS = 40;
/** Round trips that are timed together: one is shorter than the clock's grain on a busy host. */
const PINGS = 25;

/** What the NixOS driver has its guest do for one command: two round trips, a timeout, a shell in a shell, and base64. */
const RIVAL = ["(timeout 900 bash -c 'set -euo pipefail; true') | (base64 -w 0; echo)", "echo 0"];

/**
 * The agent of a guest with two emulated processors: a round trip (to be under 2 ms), a program that is started (under 60 ms), and a unit's
 * properties beside what systemctl takes for them. FLOE_BENCH_ROOT is the root of the store that has the story's images; default: this
 * host's own.
 */
export async function benchAgent(): Promise<void> {
  const root = process.env["FLOE_BENCH_ROOT"] ?? "";
  const store = root === "" ? [] : ["--store", root];
  const text = await runQuietly(FLOE, ["eval", `${FLAKE}#vmTests.boot`, "--json", ...store], FLAKE);
  const manifest = (JSON.parse(text) as VmTestManifest).machines["machine"];
  if (manifest === undefined || !existsSync(root + manifest.storeImage)) {
    console.log("skipped: the images of the story boot are not built (floe vm-test run boot builds them)");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "floe-bench-"));
  const host = new MachineHost({
    name: "machine",
    manifest: { ...manifest, cpus: 2 },
    accelerator: "tcg",
    mayFallBack: false,
    nics: [],
    fork: () => {
      throw new Error("a bench forks nothing");
    },
    folder,
    storyFolder: folder,
    realPath: (path) => root + path,
    log: () => {},
    record: () => {},
  });
  try {
    await host.boot({});
    await measure(host);
  } finally {
    await host.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(host: MachineHost): Promise<void> {
  const { agent, manager } = host.current();
  await agent.exec(["systemctl", "is-system-running", "--wait"]).result;
  const run = (agent: AgentClient, argv: string[]): Promise<unknown> => agent.exec(argv).result;
  const kinds: [string, number, () => Promise<unknown>][] = [
    ["round trip", PINGS, () => agent.ping()],
    ["fork and exec of true", 1, () => run(agent, ["true"])],
    [
      "fork and exec, as NixOS does",
      1,
      async () => {
        for (const words of RIVAL) await run(agent, ["bash", "-c", words]);
      },
    ],
    ["all properties of a unit", 1, () => manager.properties("multi-user.target")],
    ["systemctl show of a unit", 1, () => run(agent, ["systemctl", "show", "multi-user.target"])],
  ];
  const times = kinds.map((): number[] => []);
  // In turn, so that a busy host slows all of them alike.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [, count, once]] of kinds.entries()) {
      const begin = performance.now();
      for (let each = 0; each < count; each++) await once();
      if (round > 0) times[index]?.push((performance.now() - begin) / count);
    }
  }
  console.log(`agent in a guest under TCG, 2 processors (median and least of ${ROUNDS - 1})`);
  for (const [index, [name]] of kinds.entries()) {
    const list = times[index] ?? [];
    console.log(`  ${name.padEnd(28)}  ${median(list).toFixed(2)} ms  ${Math.min(...list).toFixed(2)} ms`);
  }
}
