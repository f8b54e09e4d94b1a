import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";

/** Users and groups as every builder sees them. Source: Nix, `LocalDerivationGoal::startBuilder`. */
const PASSWD = `root:x:0:0:Nix build user:/build:/noshell
nixbld:x:1000:100:Nix build user:/build:/noshell
nobody:x:65534:65534:Nobody:/:/noshell
`;
const GROUP = "root:x:0:\nnixbld:!:100:\nnogroup:x:65534:\n";
const HOSTS = "127.0.0.1 localhost\n::1 localhost\n";

/** Files of the host that name resolution and TLS need; only for builds with a network. */
const NETWORK_FILES = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/services",
  "/etc/protocols",
  "/etc/nsswitch.conf",
  "/etc/ssl/certs/ca-certificates.crt",
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
  for (const file of NETWORK_FILES) {
    if (!existsSync(file)) continue;
    const to = `${directory}${file.slice("/etc".length)}`;
    mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    copyFileSync(file, to);
  }
}
