import type { Defs } from "#floe/module";
import { vmTest } from "#floe/vm-test";
import { serving } from "./generations.ts";

/** Ways out of a network through its router, in both families. */
function through(network: string, router: { readonly ipv4: string; readonly ipv6: string }): Defs {
  return { networking: { networks: { [`10-${network}`]: { Network: { Gateway: [router.ipv4, router.ipv6] } } } } };
}

/** Small: nothing runs on it but what a network needs. */
const small = { memoryMiB: 512 };

export default vmTest({
  name: "network",
  description: "A router joins three networks in both address families, and a network can be cut, slow and lossy.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  networks: { north: {}, south: {}, far: { ipv4: "10.20.30", ipv6: "fd77:0:0:1" } },
  machines: {
    router: {
      ...small,
      networks: ["north", "south", "far"],
      config: { boot: { sysctl: { "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 } } },
    },
    server: {
      ...small,
      networks: ["north"],
      config: { ...serving("served"), ...through("north", { ipv4: "192.168.1.1", ipv6: "fd00:0:0:1::1" }) },
    },
    client: {
      ...small,
      networks: ["south"],
      config: through("south", { ipv4: "192.168.2.1", ipv6: "fd00:0:0:2::1" }),
    },
    stranger: {
      ...small,
      networks: ["far"],
      config: through("far", { ipv4: "10.20.30.1", ipv6: "fd77:0:0:1::1" }),
    },
  },
  async script({ router, server, client, stranger, north, south, step, assert }) {
    // The guest's own bash asks, so that names are looked up as its programs look them up.
    const page = async (from: typeof client, name: string): Promise<string> => {
      const answer = await from.succeed`
        exec 3<>/dev/tcp/${name}/80
        printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
        cat <&3`;
      return answer.split("\r\n\r\n")[1] ?? "";
    };
    const machines = [router, server, client, stranger];

    await step("all machines boot", async () => {
      await Promise.all(machines.map((machine) => machine.start()));
      await server.within(240).waitForUnit("nginx.service");
    });
    await step("every machine has its addresses in its networks", async () => {
      const shown = await client.succeed`ip -brief address show dev south`;
      assert.match(shown, /192\.168\.2\.3\/24/);
      assert.match(shown, /fd00:0:0:2::3\/64/);
      for (const network of ["north", "south", "far"]) await router.waitUntilSucceeds`ip link show dev ${network} up`;
    });
    await step("pages come through the router, by name and in both families", async () => {
      for (const machine of [client, stranger]) {
        await machine.waitUntilSucceeds`exec 3<>/dev/tcp/server/80`;
        assert.equal(await page(machine, "server"), "served\n");
        assert.equal(await page(machine, "192.168.1.2"), "served\n");
        await machine.waitUntilSucceeds`exec 3<>/dev/tcp/fd00:0:0:1::2/80`;
        assert.equal(await page(machine, "fd00:0:0:1::2"), "served\n");
      }
      assert.equal(await page(router, "server.north"), "served\n");
    });
    await step("the host asks as a program of the guest would, by the names it knows", async () => {
      assert.equal((await client.fetch("http://server/", { headers: { host: "localhost" } })).body, "served\n");
      await client.waitForPort(80, "server");
      const unknown = await client.fetch("http://nobody/").catch((error: { code: string }) => error.code);
      assert.equal(unknown, "command.failed");
    });
    await step("a blocked machine sees that its cable is gone, and has all back when it is unblocked", async () => {
      await client.block(south);
      await client.waitUntilSucceeds`[ "$(cat /sys/class/net/south/carrier)" = 0 ]`;
      assert.equal(await page(stranger, "server"), "served\n");
      await client.unblock();
      await client.waitUntilSucceeds`exec 3<>/dev/tcp/192.168.1.2/80`;
      const none = await client.block(north).catch((error: { code: string }) => error.code);
      assert.equal(none, "machine.no-network");
    });
    await step("what is cut does not come through, and what is healed does", async () => {
      north.partition([router], [server]);
      const refused = await client.fail`timeout 4 bash -c 'exec 3<>/dev/tcp/192.168.1.2/80'`;
      assert.equal(refused.status, 124);
      north.heal();
      await client.waitUntilSucceeds`exec 3<>/dev/tcp/192.168.1.2/80`;
    });
    await step("a cable that is out lets one machine out alone", async () => {
      south.unplug(client);
      await client.fail`timeout 4 bash -c 'exec 3<>/dev/tcp/192.168.1.2/80'`;
      assert.equal(await page(stranger, "server"), "served\n");
      south.plug(client);
      await client.waitUntilSucceeds`exec 3<>/dev/tcp/192.168.1.2/80`;
    });
    await step("a slow cable takes its time, there and back", async () => {
      south.setQuality(client, { delayMs: 400 });
      const { durationMs } = await client.execute`exec 3<>/dev/tcp/192.168.1.2/80`;
      assert.ok(durationMs >= 800, `connecting took ${durationMs} ms`);
      south.setQuality(client, {});
    });
    await step("what loses a fifth of all frames still works", async () => {
      south.setQuality(client, { loss: 0.2, duplicate: 0.1, jitterMs: 5 });
      assert.equal((await client.waitUntilSucceeds`exec 3<>/dev/tcp/192.168.1.2/80 && echo open`).trim(), "open");
      south.setQuality(client, {});
    });
    await step("no unit has failed", async () => {
      for (const machine of machines) assert.deepEqual(await machine.failedUnits(), []);
    });
  },
});
