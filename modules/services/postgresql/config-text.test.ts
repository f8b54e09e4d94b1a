import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatAuthentication, formatSettings, formatSetup } from "./config-text.ts";
import type { Postgresql } from "./options.ts";

const cfg: Postgresql = {
  enable: true,
  package: null,
  version: null,
  stateDir: null,
  port: 5432,
  listen: ["127.0.0.1", "::1"],
  settings: { log_connections: true, work_mem: "4MB", random_page_cost: 1.1, search_path: "it's, \\x" },
  authentication: "",
  databases: ["shop"],
  users: { shop: { ownsDatabase: true, attributes: ["login"] } },
  replicaOf: null,
};

test("formatSettings() writes each kind of value as postgresql.conf has it, sorted by name", () => {
  const lines = formatSettings(cfg).split("\n");
  assert.equal(lines.slice(0, 3), [
    "hba_file = '/etc/postgresql/pg_hba.conf'",
    "ident_file = '/etc/postgresql/pg_ident.conf'",
    "listen_addresses = '127.0.0.1,::1'",
  ]);
  for (const line of [
    "log_connections = on",
    "port = 5432",
    "random_page_cost = 1.1",
    "search_path = 'it''s, \\\\x'",
    "work_mem = '4MB'",
  ]) {
    assert.ok(lines.includes(line), `${line} is missing`);
  }
});

test("formatSettings() lets settings say otherwise than options", () => {
  assert.match(formatSettings({ ...cfg, settings: { timezone: "Europe/Vienna" } }), /^timezone = 'Europe\/Vienna'$/m);
});

test("formatAuthentication() puts what is asked for first, since the first line that fits counts", () => {
  const ours = "local all all peer map=machine\n";
  assert.is(formatAuthentication(""), ours);
  assert.is(
    formatAuthentication("host all all samenet scram-sha-256\n"),
    `host all all samenet scram-sha-256\n${ours}`,
  );
});

test("formatSetup() makes users before the databases that belong to them, and sets every attribute", () => {
  assert.equal(formatSetup(cfg).split("\n"), [
    "set synchronous_commit = local;",
    `select 'create role "shop"' where not exists (select from pg_roles where rolname = 'shop') \\gexec`,
    `alter role "shop" with nobypassrls nocreatedb nocreaterole noinherit login noreplication nosuperuser;`,
    `select 'create database "shop"' where not exists (select from pg_database where datname = 'shop') \\gexec`,
    `alter database "shop" owner to "shop";`,
    "",
  ]);
});

test.run();
