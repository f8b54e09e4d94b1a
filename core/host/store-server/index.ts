export { type LocalServices, localServices, type LocalServicesOptions } from "./local-services.ts";
export { runServeConnection, type ServeConnectionOptions } from "./serve-connection.ts";
export type {
  BuildAnswer,
  BuildRequest,
  ClientSettings,
  CollectRequest,
  FoundRoot,
  ServedStore,
  StoreServices,
  Substitute,
} from "./served-store.ts";
export { Spool } from "./spool.ts";
export { runWorkerConnection, type WorkerConnectionOptions } from "./worker-connection.ts";
