import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

/** Where clients look for the server's socket, and the server puts it: the default, `/tmp`, is open to everybody. */
const SOCKETS = "/run/postgresql";

export default definePackage(({ autotools, fetchUrl, zlib, systemd }) =>
  autotools({
    name: "postgresql",
    version: SOURCES.postgresql.version,
    summary: "Relational database server and its clients",
    homepage: "https://www.postgresql.org",
    license: "PostgreSQL",
    mainProgram: "psql",
    source: fetchUrl(SOURCES.postgresql),
    inputs: [zlib, systemd],
    postPatch: `sed -i 's|DEFAULT_PGSOCKET_DIR  "/tmp"|DEFAULT_PGSOCKET_DIR  "${SOCKETS}"|' src/include/pg_config_manual.h
      grep -F '"${SOCKETS}"' src/include/pg_config_manual.h`,
    configureFlags: ["--with-systemd", "--without-readline", "--without-icu"],
    buildFlags: ["world-bin"],
    installFlags: ["install-world-bin"],
    // What extensions are compiled with names the toolchain, and so does what pg_config tells of it.
    postInstall: 'rm -r "$out/lib/pgxs" "$out/bin/pg_config" "$out"/lib/*.a',
    check: `
      postgres --version | grep -F "$version"
      initdb --pgdata=data --auth=trust --no-sync --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --encoding=UTF8
      echo 'select 6 * 7 as answer' | postgres --single -D data postgres | grep -F 'answer = "42"'
      psql --version
    `,
  }),
);
