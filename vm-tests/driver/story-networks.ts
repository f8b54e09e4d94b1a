import { join } from "node:path";
import { makeRunDirectory, type Nic, NetworkSwitch, type RunDirectory } from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import type { LinkQuality, Machine, Network } from "../machine.ts";
import type { MachineManifest } from "../manifest.ts";
import { fromQemu } from "./call-site.ts";
import type { RunLog } from "./run-log.ts";

export interface StoryNetworksOptions {
  readonly machines: Readonly<Record<string, MachineManifest>>;
  /** Folder of the run; captures go there. */
  readonly folder: string;
  readonly log: RunLog;
}

/** The networks of a run: a switch for each, with a port for every card. */
export class StoryNetworks {
  readonly #switches: ReadonlyMap<string, NetworkSwitch>;
  readonly #sockets: RunDirectory;

  private constructor(switches: ReadonlyMap<string, NetworkSwitch>, sockets: RunDirectory) {
    this.#switches = switches;
    this.#sockets = sockets;
  }

  static async open({ machines, folder, log }: StoryNetworksOptions): Promise<StoryNetworks> {
    const sockets = makeRunDirectory();
    const switches = new Map<string, NetworkSwitch>();
    for (const [machine, { nics = [] }] of Object.entries(machines)) {
      for (const { network: name } of nics) {
        let network = switches.get(name);
        if (network === undefined) {
          network = new NetworkSwitch({
            name,
            folder: sockets.path,
            capture: { file: join(folder, `${name}.pcap`) },
            onFault: (text) => log({ kind: "note", text }),
          });
          switches.set(name, network);
        }
        await network.openPort(machine);
      }
    }
    return new StoryNetworks(switches, sockets);
  }

  /** Cards of a machine, connected to its ports. */
  nicsOf({ name, nics = [] }: { readonly name: string; readonly nics?: MachineManifest["nics"] }): Nic[] {
    return nics.map(({ network, mac }) => {
      const socket = this.#switches.get(network)?.ports.get(name)?.path ?? "";
      return { id: network, mac, backend: { kind: "stream", socket } };
    });
  }

  /** The networks as stories see them, by name. */
  forStory(log: RunLog): Readonly<Record<string, Network>> {
    return Object.fromEntries([...this.#switches].map(([name, each]) => [name, new StoryNetwork(each, log)]));
  }

  async close(): Promise<void> {
    for (const network of this.#switches.values()) await network.close();
    this.#sockets.remove();
  }
}

class StoryNetwork implements Network {
  readonly name: string;
  readonly #switch: NetworkSwitch;
  readonly #log: RunLog;

  constructor(network: NetworkSwitch, log: RunLog) {
    this.name = network.name;
    this.#switch = network;
    this.#log = log;
  }

  partition(...groups: readonly (readonly Machine[])[]): void {
    const names = groups.map((group) => group.map(({ name }) => name));
    this.#do(() => this.#switch.partition(names));
    this.#note(`is cut: ${names.map((group) => group.join(", ")).join(" | ")}`);
  }

  heal(): void {
    this.#switch.heal();
    this.#note("is whole again");
  }

  unplug(machine: Machine): void {
    this.#port(machine).connected = false;
    this.#note(`loses ${machine.name}`);
  }

  plug(machine: Machine): void {
    this.#port(machine).connected = true;
    this.#note(`has ${machine.name} again`);
  }

  setQuality(machine: Machine, quality: LinkQuality): void {
    this.#do(() => this.#port(machine).setQuality(quality));
    const figures = Object.entries(quality).map(([key, value]) => `${key} ${value}`);
    this.#note(`to ${machine.name}: ${figures.join(", ") || "perfect"}`);
  }

  #port({ name }: Machine): NonNullable<ReturnType<NetworkSwitch["ports"]["get"]>> {
    const port = this.#switch.ports.get(name);
    if (port !== undefined) return port;
    throw new CodedError(
      "machine.no-network",
      `Cannot reach "${name}" in the network "${this.name}": it is not in it`,
      {
        hint: `In it are ${[...this.#switch.ports.keys()].join(", ")}.`,
      },
    );
  }

  #do(act: () => void): void {
    try {
      act();
    } catch (error) {
      throw fromQemu(error);
    }
  }

  #note(text: string): void {
    this.#log({ kind: "note", text: `the network "${this.name}" ${text}` });
  }
}
