import { local } from "#floe/derivation";
import { vmTest } from "#floe/vm-test";

/** As the machine itself reaches its server. */
const PAGE = "http://127.0.0.1/";

export default vmTest({
  name: "nginx",
  description: "nginx serves the page its configuration declares, and a second virtual host beside it.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    server: {
      config: {
        services: {
          nginx: {
            enable: true,
            virtualHosts: {
              localhost: { default: true, root: local("../pages") },
              "second.example": { locations: { "/": { return: '200 "the second host\\n"' } } },
            },
          },
        },
      },
    },
  },
  async script({ server, step, assert }) {
    await step("the server boots", () => server.start());
    await step("nginx runs", async () => {
      await server.within(120).waitForUnit("nginx.service");
      await server.waitForPort(80);
    });
    await step("the declared page is served", async () => {
      const page = await server.fetch(PAGE);
      assert.equal(page.status, 200);
      assert.match(page.body, /<title>Floe<\/title>/);
    });
    await step("the second virtual host has its own page", async () => {
      assert.equal((await server.fetch(PAGE, { headers: { host: "second.example" } })).body, "the second host\n");
    });
    await step("a page nobody declared is not there", async () => {
      assert.equal((await server.fetch(`${PAGE}nothing`)).status, 404);
    });
    await step("nginx comes back after it was killed by a restart", async () => {
      await server.succeed`systemctl restart nginx.service`;
      await server.waitForPort(80);
      assert.equal((await server.fetch(PAGE)).status, 200);
    });
    await step("no unit has failed", async () => assert.deepEqual(await server.failedUnits(), []));
  },
});
