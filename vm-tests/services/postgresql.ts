import type { Defs } from "#floe/module";
import { type Machine, vmTest } from "#floe/vm-test";
import type { PostgresqlDefs } from "../../modules/services/postgresql/options.ts";

/** A server that others of its network may copy, and whose word counts only when a replica has it, too. */
function server(more: PostgresqlDefs = {}): Defs {
  return {
    services: {
      postgresql: {
        enable: true,
        listen: ["*"],
        authentication: "host replication,postgres all samenet trust",
        // Those that come back have to find where they parted.
        settings: { shared_buffers: "16MB", synchronous_standby_names: "*", wal_keep_size: "64MB" },
        users: { replication: { attributes: ["inherit", "login", "replication"] }, shop: { ownsDatabase: true } },
        databases: ["shop"],
        ...more,
      },
    },
  };
}

export default vmTest({
  name: "postgresql",
  description:
    "A replica follows its primary, takes over after a power cut with all that was promised, and is followed in turn.",
  platforms: ["x86_64-linux"],
  boot: "cold",
  networks: { cluster: {} },
  machines: {
    primary: { memoryMiB: 768, config: server() },
    replica: { memoryMiB: 768, config: server({ replicaOf: { host: "primary" } }) },
  },
  async script({ primary, replica, step, assert }) {
    const ask = async (machine: Machine, query: string): Promise<string> =>
      (await machine.as("postgres").succeed`psql --no-psqlrc -qtA -c ${query} shop`).trim();
    const rows = "select count(*) || ' of ' || max(number) from orders";

    await step("both machines boot, and the replica copies the primary", async () => {
      await Promise.all([primary.start(), replica.start()]);
      await Promise.all([primary, replica].map((each) => each.within(240).waitForUnit("postgresql-setup.service")));
    });
    await step("declared users and databases are there, on both", async () => {
      for (const machine of [primary, replica]) {
        const owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'shop'";
        assert.equal(await ask(machine, owner), "shop");
      }
      assert.equal(await ask(primary, "select state || ' ' || sync_state from pg_stat_replication"), "streaming sync");
    });
    await step("the replica has what the primary has, and takes nothing from others", async () => {
      await ask(primary, "create table orders as select * from generate_series(1, 1000) as number");
      assert.equal(await ask(replica, rows), "1000 of 1000");
      const refused = await replica.as("postgres").fail`psql -c 'insert into orders values (0)' shop`;
      assert.match(refused.stderr, /read-only transaction/);
    });
    await step("the primary loses power while it writes, and the replica takes over", async () => {
      const writes = primary.as("postgres").spawn`
        for number in {1001..9999}; do echo "insert into orders values ($number) returning 'has ' || number;"; done |
          psql --no-psqlrc -qtA shop > /tmp/promised`;
      await primary.as("postgres").waitUntilSucceeds`grep -q 'has 1020' /tmp/promised`;
      const promised = (await primary.succeed`tail -n 1 /tmp/promised`).match(/has (\d+)\n/)?.[1] ?? "nothing";
      await primary.crash();
      await writes.result.catch(() => undefined);
      // Nobody is left to wait for.
      await ask(replica, "alter system set synchronous_standby_names = ''");
      await ask(replica, "select pg_reload_conf()");
      assert.equal(await ask(replica, "select pg_promote()"), "t");
      const [count, last] = (await ask(replica, rows)).split(" of ").map(Number) as [number, number];
      assert.equal(count, last, "rows are missing between others");
      assert.ok(last >= Number(promised), `row ${promised} was promised, and the last one is ${last}`);
      await ask(replica, "insert into orders values (10000)");
    });
    await step("the old primary comes back and follows the new one", async () => {
      await primary.start();
      await primary.within(240).waitForUnit("postgresql.service");
      await primary.systemctl("stop", "postgresql-setup.service", "postgresql.service");
      await primary.as("postgres").succeed`
        pg_rewind --target-pgdata=/var/lib/postgresql/17 --source-server='host=replica user=postgres dbname=postgres' --write-recovery-conf`;
      await primary.systemctl("start", "postgresql.service", "postgresql-setup.service");
      await primary.as("postgres")
        .waitUntilSucceeds`test "$(psql -qtAc 'select max(number) from orders' shop)" = 10000`;
      assert.equal(await ask(primary, rows), await ask(replica, rows));
    });
    await step("no unit has failed", async () => {
      for (const machine of [primary, replica]) assert.deepEqual(await machine.failedUnits(), []);
    });
  },
});
