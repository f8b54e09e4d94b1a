export { type Connection, type Dial, dialProgram, dialSocket } from "./connection.ts";
export { DaemonStore, type DaemonStoreOptions } from "./daemon-store.ts";
export { isDaemonThere, openDaemonStore, openSshDaemonStore, openSshStore, type RemoteStoreUrl } from "./open.ts";
export { ClientPool, type PooledClient, RemoteRefusal } from "./pool.ts";
export { type RemoteBuildSettings, ServeClient } from "./serve-client.ts";
export { dialSsh, sshArguments, type SshTarget } from "./ssh.ts";
export { SshStore, type SshStoreOptions } from "./ssh-store.ts";
export { WorkerClient, type WorkerClientOptions } from "./worker-client.ts";
