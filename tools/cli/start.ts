/**
 * Where a process of the `floe` program starts from its sources; from the bundle it is `start-bundle.ts`. It turns on Node's compile cache
 * before anything else is loaded.
 */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";

const caches = process.env["XDG_CACHE_HOME"] || `${homedir()}/.cache`;
// In the user's own cache directory, not in the shared /tmp where others could plant code.
enableCompileCache(`${caches}/floe/compiled`);
await import("./main.ts");
