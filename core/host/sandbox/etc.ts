import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { certificateFile } from "../process/index.ts";

/** Users and groups as every builder sees them. Source: Nix, `LocalDerivationGoal::startBuilder`. */
const PASSWD = `root:x:0:0:Nix build user:/build:/noshell
nixbld:x:1000:100:Nix build user:/build:/noshell
nobody:x:65534:65534:Nobody:/:/noshell
`;
const GROUP = "root:x:0:\nnixbld:!:100:\nnogroup:x:65534:\n";
const HOSTS = "127.0.0.1 localhost\n::1 localhost\n";

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
/** Files of the host that name resolution and TLS need; only for builds with a network. */
const NETWORK_FILES = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/services",
  "/etc/protocols",
  "/etc/nsswitch.conf",
  CERTIFICATES,
] as const;

/** Write the `/etc` of a sandbox into a new directory. Copies, so that nothing of the host can be reached through it. */
export function writeSandboxEtc(directory: string, { network }: { readonly network: boolean }): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/passwd`, PASSWD);
  writeFileSync(`${directory}/group`, GROUP);
  if (!network) {
    writeFileSync(`${directory}/hosts`, HOSTS);
    return;
  }
  for (const name of NETWORK_FILES) {
    // Builders trust whom we trust.
    const file = name === CERTIFICATES ? (certificateFile() ?? name) : name;
    if (!existsSync(file)) continue;
    const to = `${directory}${name.slice("/etc".length)}`;
    mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    copyFileSync(file, to);
  }
}
