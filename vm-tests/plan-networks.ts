import { CodedError } from "#floe/base";
import type { Defs } from "#floe/module";
import type { NicManifest } from "./manifest.ts";

/** A network of a story's machines. */
export interface NetworkSpecification {
  /** The first three numbers of its addresses. Default: `192.168.N`, where N counts the networks from 1. */
  readonly ipv4?: string;
  /** The first half of its addresses. Default: `fd00:0:0:N`. */
  readonly ipv6?: string;
}

/** What becomes of one machine in its networks. */
export interface MachineNetworks {
  readonly nics: readonly NicManifest[];
  /** Its addresses, and everybody's names. */
  readonly config: Defs;
}

export interface PlanNetworksOptions {
  readonly networks: Readonly<Record<string, NetworkSpecification>>;
  /** Networks of each machine, in the order of its cards. */
  readonly machines: Readonly<Record<string, readonly string[]>>;
}

/** Every machine of a network has a number of its own there, and what is left of an address is for others. */
const MOST_MACHINES = 200;
/** An interface is named after its network. */
const NETWORK_NAME = /^[a-z][a-z0-9-]{0,13}$/;

/**
 * Give every machine its cards, addresses and names.
 *
 * Shape: the M-th machine of a story is `.M` and `::M` in each of its networks. Interfaces are called as their networks. A machine's name means
 * its address in the first network it shares with whoever asks, and `NAME.NETWORK` that in the network.
 *
 * @throws {CodedError} `vm-test.network` for a network that is not declared, or a name or address that none can have.
 */
export function planNetworks({ networks, machines }: PlanNetworksOptions): Readonly<Record<string, MachineNetworks>> {
  const names = Object.keys(networks);
  const places = new Map<string, NetworkPlace>();
  for (const [index, name] of names.entries()) places.set(name, placeOf(name, index + 1, networks[name] ?? {}));
  const members = Object.entries(machines);
  if (members.length > MOST_MACHINES)
    throw new CodedError(
      "vm-test.network",
      `Cannot connect ${members.length} machines: expected ${MOST_MACHINES} at most`,
    );
  const cards = new Map(
    members.map(([machine, joined], index) => [machine, cardsOf(machine, index + 1, joined, places)]),
  );
  return Object.fromEntries(
    [...cards].map(([machine, own]) => [
      machine,
      {
        nics: own.map(({ network, mac }) => ({ network, mac })),
        config: own.length === 0 ? {} : configOf(own, hostsOf(own, cards)),
      },
    ]),
  );
}

interface NetworkPlace {
  readonly number: number;
  readonly ipv4: string;
  readonly ipv6: string;
}

interface Card extends NicManifest {
  readonly ipv4: string;
  readonly ipv6: string;
}

function placeOf(name: string, number: number, { ipv4, ipv6 }: NetworkSpecification): NetworkPlace {
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new CodedError("vm-test.network", `Cannot make the network "${name}": ${what}`);
  };
  check(NETWORK_NAME.test(name), "expected a name of up to 14 small letters, digits and dashes, a letter first");
  const place = { number, ipv4: ipv4 ?? `192.168.${number}`, ipv6: ipv6 ?? `fd00:0:0:${number.toString(16)}` };
  const isByte = (part: string): boolean => /^\d{1,3}$/.test(part) && Number(part) < 256;
  const bytes = place.ipv4.split(".");
  check(
    bytes.length === 3 && bytes.every(isByte),
    `found ipv4 "${place.ipv4}", expected three numbers such as "10.0.5"`,
  );
  const groups = place.ipv6.split(":");
  const isGroup = (part: string): boolean => /^[0-9a-f]{1,4}$/i.test(part);
  check(
    groups.length === 4 && groups.every(isGroup),
    `found ipv6 "${place.ipv6}", expected four groups such as "fd00:0:0:5"`,
  );
  return place;
}

function cardsOf(
  machine: string,
  number: number,
  joined: readonly string[],
  places: ReadonlyMap<string, NetworkPlace>,
): readonly Card[] {
  return joined.map((network, index) => {
    const place = places.get(network);
    if (place === undefined || joined.indexOf(network) !== index) {
      const found = place === undefined ? `there is no network "${network}"` : `it is in "${network}" twice`;
      throw new CodedError("vm-test.network", `Cannot connect the machine "${machine}": ${found}`, {
        hint: `The story declares ${[...places.keys()].join(", ") || "no networks"}.`,
      });
    }
    const hex = (value: number): string => value.toString(16).padStart(2, "0");
    return {
      network,
      // Locally administered; the same each time, so that nothing in a machine depends on the run.
      mac: `52:54:00:f1:${hex(place.number)}:${hex(number)}`,
      ipv4: `${place.ipv4}.${number}`,
      ipv6: `${place.ipv6}::${number.toString(16)}`,
    };
  });
}

function hostsOf(own: readonly Card[], cards: ReadonlyMap<string, readonly Card[]>): Record<string, string[]> {
  const mine = new Set(own.map(({ network }) => network));
  const hosts: Record<string, string[]> = {};
  for (const [machine, theirs] of cards) {
    const meant = theirs.find(({ network }) => mine.has(network)) ?? theirs[0];
    for (const card of theirs) {
      const names = [...(card === meant ? [machine] : []), `${machine}.${card.network}`];
      hosts[card.ipv4] = names;
      hosts[card.ipv6] = names;
    }
  }
  return hosts;
}

function configOf(cards: readonly Card[], hosts: Record<string, string[]>): Defs {
  return {
    networking: {
      useDHCP: false,
      hosts,
      networks: Object.fromEntries(
        cards.map(({ network, mac, ipv4, ipv6 }) => [
          `10-${network}`,
          {
            Match: { PermanentMACAddress: mac },
            Network: { Address: [`${ipv4}/24`, `${ipv6}/64`], IPv6AcceptRA: false, LinkLocalAddressing: "ipv6" },
          },
        ]),
      ),
      links: Object.fromEntries(
        cards.map(({ network, mac }) => [
          `10-${network}`,
          { Match: { PermanentMACAddress: mac }, Link: { Name: network } },
        ]),
      ),
    },
  };
}
