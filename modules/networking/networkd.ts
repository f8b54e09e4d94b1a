import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";
import { followSettings } from "../systemd/follow-settings.ts";
import { formatUnit } from "../systemd/unit-text.ts";
import { section } from "../systemd/unit-options.ts";

const options = declare("networking", {
  hostName: option.str({
    pattern: /[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/,
    shape: "a host name: up to 63 small letters, digits and inner dashes",
    description: "Default: the system's name.",
  }),
  hosts: option.attrsOf(option.listOf(option.str()), { description: "Further lines of /etc/hosts: names by address." }),
  nameservers: option.listOf(option.str(), { description: "Addresses for /etc/resolv.conf." }),
  useDHCP: option.bool({ default: true, description: "Whether wired interfaces (e*) ask for an address by DHCP." }),
  networks: option.attrsOf(option.attrsOf(section), {
    description: "Networks of systemd-networkd by file name, each with its sections.",
    example: { "10-lan": { Match: { Name: "eth1" }, Network: { Address: "192.168.1.1/24" } } },
  }),
  links: option.attrsOf(option.attrsOf(section), {
    description: "Names and settings of network cards, by file name (systemd.link), applied as they appear.",
    example: { "10-lan": { Match: { PermanentMACAddress: "52:54:00:12:34:56" }, Link: { Name: "lan" } } },
  }),
});

export interface Networking extends Read<typeof options> {}
export interface NetworkingDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface Config {
    readonly networking: Networking;
  }
  interface Defs {
    networking?: NetworkingDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, config, pkgs, define }) => {
  define({ networking: { hostName: defaults(config.system.name.toLowerCase().replace(/[^a-z0-9-]/g, "-")) } });
  if (cfg.useDHCP) {
    define({
      networking: {
        networks: {
          "80-dhcp": {
            Match: { Name: "e*" },
            Network: { DHCP: "ipv4", LinkLocalAddressing: "no", IPv6AcceptRA: false },
          },
        },
      },
    });
  }
  const networks = Object.entries(cfg.networks).map(([name, sections]) => [name, formatUnit(sections)] as const);
  for (const [name, text] of networks) {
    define({ environment: { etc: { [`systemd/network/${name}.network`]: { text } } } });
  }
  define({ systemd: { services: { "systemd-networkd": followSettings(JSON.stringify(networks), "reload") } } });
  define({
    systemd: {
      packageUnits: {
        "systemd-networkd.service": { package: pkgs.systemd, wantedBy: ["multi-user.target"] },
        "systemd-networkd.socket": { package: pkgs.systemd, wantedBy: ["sockets.target"] },
      },
    },
  });
  const links = Object.entries(cfg.links).map(([name, sections]) => [name, formatUnit(sections)] as const);
  for (const [name, text] of links) define({ environment: { etc: { [`systemd/network/${name}.link`]: { text } } } });
  if (links.length > 0) define({ services: { udev: { packageRules: ["80-net-setup-link.rules"] } } });
  const hosts = Object.entries(cfg.hosts).map(([address, names]) => `${address} ${names.join(" ")}\n`);
  const servers = cfg.nameservers.map((address) => `nameserver ${address}\n`);
  define({
    environment: {
      etc: {
        hosts: { text: `127.0.0.1 localhost\n::1 localhost\n127.0.0.2 ${cfg.hostName}\n${hosts.join("")}` },
        hostname: { text: `${cfg.hostName}\n` },
        ...(servers.length === 0 ? {} : { "resolv.conf": { text: servers.join("") } }),
      },
    },
  });
});
