import { sortedText } from "#floe/base";
import type { DatabaseUser, Postgresql } from "./options.ts";

/** Where the server puts its socket, as the package's clients expect. */
export const SOCKETS = "/run/postgresql";

/** What the server reads again when it is told to, unlike its settings. */
const AUTHENTICATION = "/etc/postgresql";

type Setting = Postgresql["settings"][string];

/** The text of postgresql.conf. */
export function formatSettings(cfg: Postgresql): string {
  const settings: Readonly<Record<string, Setting>> = {
    hba_file: `${AUTHENTICATION}/pg_hba.conf`,
    ident_file: `${AUTHENTICATION}/pg_ident.conf`,
    unix_socket_directories: SOCKETS,
    port: cfg.port,
    listen_addresses: cfg.listen.join(","),
    // The journal has the time and the process of each line.
    log_line_prefix: "[%p] %q%u@%d ",
    log_timezone: "UTC",
    timezone: "UTC",
    ...cfg.settings,
  };
  return sortedText(Object.keys(settings))
    .map((name) => `${name} = ${formatSetting(settings[name] as Setting)}\n`)
    .join("");
}

function formatSetting(value: Setting): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "number" ? `${value}` : quote(value);
}

/** The text of pg_hba.conf. */
export function formatAuthentication(lines: string): string {
  return `${lines === "" ? "" : `${lines.trimEnd()}\n`}local all all peer map=machine\n`;
}

/** The text of pg_ident.conf: everybody is the database's user of that name, and root is whoever it wants. */
export const IDENTITIES = "machine /^(.*)$ \\1\nmachine root all\n";

/** What makes the databases and users that are missing, for psql; it may run any number of times. */
export function formatSetup(cfg: Postgresql): string {
  const users = sortedText(Object.keys(cfg.users));
  return [
    // A replica that is slow or away is no reason for this to wait.
    "set synchronous_commit = local;",
    ...users.flatMap((name) => formatUser(name, cfg.users[name] as DatabaseUser)),
    ...cfg.databases.map((name) => makeMissing("database", "pg_database where datname", name)),
    ...users
      .filter((name) => cfg.users[name]?.ownsDatabase === true)
      .map((name) => `alter database "${name}" owner to "${name}";`),
    "",
  ].join("\n");
}

const ATTRIBUTES = ["bypassrls", "createdb", "createrole", "inherit", "login", "replication", "superuser"] as const;

function formatUser(name: string, user: DatabaseUser): readonly string[] {
  const attributes = ATTRIBUTES.map((each) => (user.attributes.includes(each) ? each : `no${each}`));
  return [makeMissing("role", "pg_roles where rolname", name), `alter role "${name}" with ${attributes.join(" ")};`];
}

/** psql runs what a query answers: there is no `if not exists` for these. */
function makeMissing(kind: string, where: string, name: string): string {
  return `select 'create ${kind} "${name}"' where not exists (select from ${where} = '${name}') \\gexec`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
