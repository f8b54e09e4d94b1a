import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../machine.ts";
import type { MachineManifest } from "../manifest.ts";
import { StoryNetworks } from "./story-networks.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-story-networks-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const generation = { toplevel: "", kernel: "", initrd: "", kernelParameters: "" };
const common = { architecture: "x86_64", memoryMiB: 1, cpus: 1, storeImage: "", rootImage: "" } as const;

function machineIn(...networks: readonly string[]): MachineManifest {
  const nics = networks.map((network, index) => ({ network, mac: `52:54:00:00:00:0${index}` }));
  return { ...common, generations: { base: generation }, nics };
}

const named = (name: string): Machine => ({ name }) as Machine;

test("StoryNetworks has a port for every card, and does what a story says", async () => {
  const notes: string[] = [];
  const log = (event: { kind: string; text?: string }): void => void notes.push(event.text ?? event.kind);
  const machines = { web: machineIn("lan"), router: machineIn("lan", "wan"), alone: machineIn() };
  const networks = await StoryNetworks.open({ machines, folder, log });
  try {
    const nics = networks.nicsOf({ name: "router", ...machines.router });
    assert.equal(
      nics.map(({ id, mac }) => [id, mac]),
      [
        ["lan", "52:54:00:00:00:00"],
        ["wan", "52:54:00:00:00:01"],
      ],
    );
    for (const { backend } of nics) assert.ok(backend.kind === "stream" && existsSync(backend.socket));
    assert.equal(networks.nicsOf({ name: "alone", ...machines.alone }), []);
    assert.ok(existsSync(join(folder, "lan.pcap")));

    const { lan, wan } = networks.forStory(log);
    lan?.partition([named("web")], [named("router")]);
    lan?.heal();
    lan?.unplug(named("web"));
    lan?.plug(named("web"));
    lan?.setQuality(named("web"), { delayMs: 5, loss: 0.1 });
    lan?.setQuality(named("web"), {});
    assert.equal(notes, [
      'the network "lan" is cut: web | router',
      'the network "lan" is whole again',
      'the network "lan" loses web',
      'the network "lan" has web again',
      'the network "lan" to web: delayMs 5, loss 0.1',
      'the network "lan" to web: perfect',
    ]);
    const code = (wanted: string) => (error: { code: string }) => error.code === wanted;
    assert.throws(() => wan?.unplug(named("web")), code("machine.no-network"));
    assert.throws(() => wan?.partition([named("web")]), code("network.no-port"));
    assert.throws(() => lan?.setQuality(named("web"), { loss: 2 }), code("network.quality"));
  } finally {
    await networks.close();
  }
});

test.run();
