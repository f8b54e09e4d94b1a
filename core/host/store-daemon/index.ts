export {
  type Admission,
  type AdmissionRules,
  admit,
  DEFAULT_ADMISSION,
  findNames,
  parseAdmissionRules,
  type UserNames,
} from "./admission.ts";
export { daemonSocket, runDaemon, type RunDaemonOptions } from "./daemon.ts";
export { findPeer, type Peer } from "./peer.ts";
export { workForDaemon, type WorkForDaemonOptions } from "./worker.ts";
export { type WorkerCommand, type WorkerOrder, WorkerPool } from "./workers.ts";
