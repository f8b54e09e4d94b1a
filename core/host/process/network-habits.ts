import { setGlobalProxyFromEnv } from "node:http";

const done = { proxies: false, certificates: false };

/**
 * Reach the network as the machine's other programs do: through the proxies that `http_proxy`, `https_proxy` and `no_proxy`
 * name, and trusting the certificates that the machine's administrator added to the system's own. Node does neither unless told.
 *
 * To be called before the first connection; later calls do nothing.
 *
 * @param secure Whether the connection may need certificates; reading them all takes a tenth of a second. Default true.
 */
export async function obeyNetworkHabits(secure: boolean = true): Promise<void> {
  const proxies = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
  const hasProxy = proxies.some((name) => (process.env[name] ?? "") !== "");
  if (!done.proxies && hasProxy) setGlobalProxyFromEnv();
  done.proxies = true;
  if (done.certificates || (!secure && !hasProxy)) return;
  done.certificates = true;
  const tls = await import("node:tls");
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...tls.getCACertificates("system")]);
}
