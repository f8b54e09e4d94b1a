/** A job of QEMU, such as taking a snapshot. Source: QEMU, qapi/job.json. */
export interface QmpJob {
  readonly id: string;
  readonly status: string;
  readonly error?: string;
}

/** How far a migration is. Source: QEMU, qapi/migration.json. */
export interface QmpMigration {
  readonly status?: "none" | "setup" | "active" | "device" | "completed" | "failed" | "cancelled" | (string & {});
  readonly "error-desc"?: string;
  readonly ram?: { readonly transferred: number; readonly total: number; readonly duplicate: number };
}

interface Plain<Arguments = undefined, Returns = unknown> {
  arguments: Arguments;
  returns: Returns;
}

/** Commands with their arguments and answers; any other command takes and gives untyped data. Source: QEMU, qapi/*.json. */
export interface QmpCommands {
  "query-status": Plain<undefined, { readonly status: string; readonly running: boolean }>;
  "query-current-machine": Plain<undefined, { readonly "wakeup-suspend-support": boolean }>;
  "query-version": Plain<
    undefined,
    { readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number } }
  >;
  "query-cpus-fast": Plain<undefined, readonly { readonly "cpu-index": number; readonly "thread-id": number }[]>;
  "query-chardev": Plain<undefined, readonly { readonly label: string; readonly "frontend-open": boolean }[]>;
  "human-monitor-command": Plain<{ readonly "command-line": string }, string>;
  screendump: Plain<{ readonly filename: string; readonly format?: "png" | "ppm" }>;
  "send-key": Plain<{
    readonly keys: readonly { readonly type: "qcode"; readonly data: string }[];
    readonly "hold-time"?: number;
  }>;
  "dump-guest-memory": Plain<{ readonly paging: boolean; readonly protocol: string }>;
  "inject-nmi": Plain;
  cont: Plain;
  stop: Plain;
  system_reset: Plain;
  system_powerdown: Plain;
  system_wakeup: Plain;
  quit: Plain;

  migrate: Plain<{ readonly uri: string }>;
  "migrate-incoming": Plain<{ readonly uri: string }>;
  "migrate-set-capabilities": Plain<{
    readonly capabilities: readonly { readonly capability: string; readonly state: boolean }[];
  }>;
  "migrate-set-parameters": Plain<{ readonly "max-bandwidth"?: number; readonly "downtime-limit"?: number }>;
  "query-migrate": Plain<undefined, QmpMigration>;

  "blockdev-snapshot-sync": Plain<{
    readonly device: string;
    readonly "snapshot-file": string;
    readonly format?: "qcow2";
  }>;
  "query-block": Plain<
    undefined,
    readonly { readonly device: string; readonly inserted?: { readonly file: string } }[]
  >;
  block_set_io_throttle: Plain<{
    readonly device?: string;
    readonly id?: string;
    readonly bps: number;
    readonly bps_rd: number;
    readonly bps_wr: number;
    readonly iops: number;
    readonly iops_rd: number;
    readonly iops_wr: number;
  }>;
  "query-jobs": Plain<undefined, readonly QmpJob[]>;

  set_link: Plain<{ readonly name: string; readonly up: boolean }>;
  netdev_add: Plain<Readonly<Record<string, unknown>>>;
  netdev_del: Plain<{ readonly id: string }>;
  device_add: Plain<Readonly<Record<string, unknown>>>;
  device_del: Plain<{ readonly id: string }>;
  "qom-get": Plain<{ readonly path: string; readonly property: string }>;
  "qom-set": Plain<{ readonly path: string; readonly property: string; readonly value: unknown }>;
}

/** What events carry; any other event has untyped data. Source: QEMU, qapi/*.json. */
export interface QmpEvents {
  SHUTDOWN: { readonly guest: boolean; readonly reason: string };
  RESET: { readonly guest: boolean; readonly reason: string };
  POWERDOWN: Readonly<Record<string, never>>;
  STOP: Readonly<Record<string, never>>;
  RESUME: Readonly<Record<string, never>>;
  SUSPEND: Readonly<Record<string, never>>;
  WAKEUP: Readonly<Record<string, never>>;
  WATCHDOG: { readonly action: string };
  GUEST_PANICKED: { readonly action: string };
  GUEST_CRASHLOADED: { readonly action: string };
  MIGRATION: { readonly status: string };
  JOB_STATUS_CHANGE: { readonly id: string; readonly status: string };
  DEVICE_DELETED: { readonly device?: string; readonly path: string };
  VSERPORT_CHANGE: { readonly id: string; readonly open: boolean };
  BLOCK_IO_ERROR: { readonly device: string; readonly operation: string; readonly reason: string };
}

/** A message QEMU sends by itself. Source: QEMU Machine Protocol specification. */
export interface QmpEvent<Data = Readonly<Record<string, unknown>>> {
  readonly event: string;
  readonly data: Data;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}
