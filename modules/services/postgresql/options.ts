import { type Read, type ValueOf, type Write, declare, option } from "#floe/module";

const NAME = { pattern: /[a-z_][a-z0-9_]{0,62}/, shape: "a name of small letters, digits and _" } as const;

const user = option.submodule({
  ownsDatabase: option.bool({ default: false, description: "Whether the database of the same name belongs to it." }),
  attributes: option.listOf(
    option.enumeration(["bypassrls", "createdb", "createrole", "inherit", "login", "replication", "superuser"]),
    {
      default: ["inherit", "login"],
      description: "What CREATE ROLE can give: those of its words that are not listed are taken away.",
    },
  ),
});

const replicaOf = option.submodule({
  host: option.str({ description: "Name or address of the primary server." }),
  port: option.port({ default: 5432 }),
  user: option.str({ ...NAME, default: "replication", description: "A user of the primary with `replication`." }),
});

export const postgresqlOptions = declare("services.postgresql", {
  enable: option.bool({ default: false, description: "Run the PostgreSQL database server." }),
  package: option.nullOr(option.package(), { description: "Default: `pkgs.postgresql`." }),
  version: option.nullOr(option.str({ pattern: /\d+(\.\d+)*/, shape: "a version" }), {
    description: "The version of `package`, where it is not Floe's own.",
  }),
  stateDir: option.nullOr(option.str({ pattern: /\/[\w./-]*/, shape: "an absolute path of plain characters" }), {
    description:
      "The server's own folder. Data is below it in a folder named after the server's version up to the first dot, since no other version reads it. Default: /var/lib/postgresql.",
  }),
  port: option.port({ default: 5432 }),
  listen: option.listOf(option.str(), {
    description: "Addresses to listen on beside the socket in /run/postgresql; `*` means all.",
    example: ["127.0.0.1", "::1"],
  }),
  settings: option.attrsOf(option.oneOf([option.bool(), option.int(), option.number(), option.str()]), {
    description: "Further settings of postgresql.conf. A change of them restarts the server.",
    example: { shared_buffers: "256MB", log_connections: true },
  }),
  authentication: option.lines({
    description: "Lines of pg_hba.conf, before those that let each user of the machine be the database's of that name.",
    example: "host all all 10.0.0.0/8 scram-sha-256",
  }),
  databases: option.listOf(option.str(NAME), { description: "Databases that are made when they are not there." }),
  users: option.attrsOf(user, { description: "Users that are made when they are not there, by name." }),
  replicaOf: option.nullOr(replicaOf, {
    description:
      "The server that an empty data directory is copied from, to follow it from then on. What is promoted later stays what it is.",
  }),
});

export type DatabaseUser = ValueOf<typeof user>;
export type Primary = ValueOf<typeof replicaOf>;

export interface Postgresql extends Read<typeof postgresqlOptions> {}
export interface PostgresqlDefs extends Write<typeof postgresqlOptions> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly postgresql: Postgresql;
  }
  interface ServicesDefs {
    postgresql?: PostgresqlDefs | undefined;
  }
}
