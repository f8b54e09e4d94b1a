import { setGlobalProxyFromEnv } from "node:http";

let isDone = false;

/**
 * Reach the network as the machine's other programs do: through the proxies that `http_proxy`, `https_proxy` and `no_proxy`
 * name, and trusting the certificates that the machine's administrator added to the system's own. Node does neither unless told.
 *
 * To be called before the first connection; later calls do nothing. Loads TLS only here, to keep other commands' start lean.
 */
export async function obeyNetworkHabits(): Promise<void> {
  if (isDone) return;
  isDone = true;
  const proxies = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
  if (proxies.some((name) => (process.env[name] ?? "") !== "")) setGlobalProxyFromEnv();
  const tls = await import("node:tls");
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...tls.getCACertificates("system")]);
}
