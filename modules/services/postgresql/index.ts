import { defineModule } from "#floe/module";
import { quoteShell } from "#floe/system";
import { writeText } from "../../write-text.ts";
import * as text from "./config-text.ts";
import { type Primary, postgresqlOptions } from "./options.ts";

/** Below /var/lib. */
const STATE = "postgresql";

export default defineModule(postgresqlOptions, ({ cfg, pkgs, define, check }) => {
  if (!cfg.enable) return;
  const postgresql = cfg.package ?? pkgs.postgresql;
  const stateDir = cfg.stateDir ?? `/var/lib/${STATE}`;
  const version = cfg.version ?? (cfg.package === null ? pkgs.postgresql.version : "");
  check(version !== "", "Cannot name the data's folder: services.postgresql.package is set, expected .version, too");
  const dataDir = `${stateDir}/${version.split(".")[0]}`;
  const conf = writeText({ name: "postgresql.conf", text: text.formatSettings(cfg), pkgs });
  const setup = writeText({ name: "postgresql-setup.sql", text: text.formatSetup(cfg), pkgs });
  const authentication = text.formatAuthentication(cfg.authentication);
  const asServer = {
    User: "postgres",
    Group: "postgres",
    RuntimeDirectory: "postgresql",
    RuntimeDirectoryPreserve: true,
    ...(cfg.stateDir === null ? { StateDirectory: STATE, StateDirectoryMode: "0750" } : {}),
  };

  define({
    users: {
      users: { postgres: { description: "PostgreSQL", group: "postgres", home: stateDir } },
      groups: { postgres: {} },
    },
    environment: {
      systemPackages: [postgresql],
      etc: {
        "postgresql/pg_hba.conf": { text: authentication },
        "postgresql/pg_ident.conf": { text: text.IDENTITIES },
      },
    },
    systemd: {
      tmpfiles: { rules: cfg.stateDir === null ? [] : [`d ${stateDir} 0750 postgres postgres - -`] },
      services: {
        "postgresql-data": {
          description: "Data directory of PostgreSQL",
          requires: ["systemd-tmpfiles-setup.service"],
          after: ["systemd-tmpfiles-setup.service", "network.target"],
          onChange: "ignore",
          path: [postgresql],
          script: makeData(dataDir, cfg.replicaOf),
          // A primary may be away for as long as it is.
          serviceConfig: { ...asServer, Type: "oneshot", RemainAfterExit: true, TimeoutStartSec: "infinity" },
        },
        postgresql: {
          description: "PostgreSQL database server",
          wantedBy: ["multi-user.target"],
          requires: ["postgresql-data.service"],
          after: ["postgresql-data.service", "network.target"],
          reloadTriggers: [writeText({ name: "pg_hba.conf", text: authentication, pkgs })],
          exec: `${postgresql}/bin/postgres -D ${dataDir} -c config_file=${conf}`,
          serviceConfig: {
            ...asServer,
            Type: "notify",
            ExecReload: `${pkgs.coreutils}/bin/kill -HUP $MAINPID`,
            // Ends connections and writes everything out; SIGTERM would wait for the clients.
            KillSignal: "SIGINT",
            KillMode: "mixed",
            // After a power cut it reads its log through before it is ready.
            TimeoutSec: "infinity",
            Restart: "on-failure",
            RestartSec: "1s",
            OOMScoreAdjust: -900,
          },
        },
        "postgresql-setup": {
          description: "Databases and users of PostgreSQL",
          wantedBy: ["multi-user.target"],
          requires: ["postgresql.service"],
          after: ["postgresql.service"],
          script: `
            ask() { ${postgresql}/bin/psql --port=${cfg.port} --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@" postgres; }
            # What a replica has, it has from its primary.
            if [ "$(ask --command='select pg_is_in_recovery()')" = f ]; then ask --file=${setup}; fi
          `,
          serviceConfig: { User: "postgres", Type: "oneshot", RemainAfterExit: true },
        },
      },
    },
  });
});

/** Makes data where there is none, at once: a folder under its final name is complete. */
function makeData(dataDir: string, primary: Primary | null): string {
  const make =
    primary === null
      ? "initdb --pgdata=$new --auth=peer --data-checksums --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --encoding=UTF8"
      : `until pg_basebackup --pgdata=$new --host=${quoteShell(primary.host)} --port=${primary.port} --username=${primary.user} --no-password --checkpoint=fast --write-recovery-conf; do
      rm -rf $new
      sleep 1
    done`;
  return `
    if [ -e ${dataDir} ]; then exit 0; fi
    new=${dataDir}.new
    rm -rf $new
    ${make}
    mv $new ${dataDir}
    sync ${dataDir}/..
  `;
}
