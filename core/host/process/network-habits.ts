import { readFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { ownSettingsPlaces, readSettingsFiles, type SettingsPlaces } from "./settings-files.ts";

const done = { proxies: false, certificates: false };

/**
 * Reach the network as the machine's other programs do: through the proxies that `http_proxy`, `https_proxy` and `no_proxy`
 * name, and trusting the certificates that the machine's administrator added to the system's own. Node does neither unless told.
 * Where {@link certificateFile} names a file, its certificates count and no others.
 *
 * To be called before the first connection; later calls do nothing.
 *
 * @param secure Whether the connection may need certificates; reading them all takes a tenth of a second. Default true.
 * @throws {CodedError} `network.certificates-unreadable`
 */
export async function obeyNetworkHabits(secure: boolean = true): Promise<void> {
  const proxies = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
  const hasProxy = proxies.some((name) => (process.env[name] ?? "") !== "");
  if (!done.proxies && hasProxy) (await import("node:http")).setGlobalProxyFromEnv();
  done.proxies = true;
  if (done.certificates || (!secure && !hasProxy)) return;
  const tls = await import("node:tls");
  const file = certificateFile();
  tls.setDefaultCACertificates(
    file === undefined
      ? [...tls.getCACertificates("default"), ...tls.getCACertificates("system")]
      : readCertificates(file),
  );
  done.certificates = true;
}

/**
 * The file of certificates that count in place of the system's: that of `NIX_SSL_CERT_FILE`, else `sslCertFile` of
 * `~/.config/floe/settings.json` and `/etc/floe/settings.json`. (`SSL_CERT_FILE` takes the place of the system's own file by itself.)
 */
export function certificateFile(places: SettingsPlaces = ownSettingsPlaces()): string | undefined {
  const stated = places.environment["NIX_SSL_CERT_FILE"];
  if (stated !== undefined && stated !== "") return stated;
  for (const { text } of readSettingsFiles(places)) {
    try {
      const { sslCertFile } = JSON.parse(text) as { readonly sslCertFile?: unknown };
      if (typeof sslCertFile === "string") return sslCertFile;
    } catch {
      // Whoever reads the settings for what they are about tells what is wrong with them.
    }
  }
  return undefined;
}

function readCertificates(file: string): string[] {
  let text = "";
  let cause: unknown;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    cause = error;
  }
  const found = text.match(/-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]*-----END (TRUSTED )?CERTIFICATE-----/g);
  if (found !== null) return found;
  throw new CodedError(
    "network.certificates-unreadable",
    `Cannot read certificates from "${file}": ${cause === undefined ? "there are none in it" : (cause as Error).message}`,
    { hint: "NIX_SSL_CERT_FILE or sslCertFile in the settings names it; expected a file of PEM certificates.", cause },
  );
}
