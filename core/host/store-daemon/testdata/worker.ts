import { openLocalStore } from "../../local-store/index.ts";
import { localServices } from "../../store-server/index.ts";
import { workForDaemon } from "../index.ts";

/** The worker of the tests: serves the store below the directory it is told. */
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
await workForDaemon({
  open: () => {
    const store = openLocalStore({ root: process.argv[2] });
    return { services: localServices(store), close: () => store.close() };
  },
  serverName: "tested",
  signal: stop.signal,
  say: () => {},
});
