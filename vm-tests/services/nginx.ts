import { local } from "#floe/derivation";
import { vmTest } from "#floe/vm-test";
import { fetchPage } from "../web-page.ts";

export default vmTest({
  name: "nginx",
  description: "nginx serves the page its configuration declares, and a second virtual host beside it.",
  platforms: ["x86_64-linux"],
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
      const page = await fetchPage(server);
      assert.match(page.status, / 200 /);
      assert.match(page.body, /<title>Floe<\/title>/);
    });
    await step("the second virtual host has its own page", async () => {
      assert.equal((await fetchPage(server, { host: "second.example" })).body, "the second host\n");
    });
    await step("a page nobody declared is not there", async () => {
      assert.match((await fetchPage(server, { path: "/nothing" })).status, / 404 /);
    });
    await step("nginx comes back after it was killed by a restart", async () => {
      await server.succeed`systemctl restart nginx.service`;
      await server.waitForPort(80);
      assert.match((await fetchPage(server)).status, / 200 /);
    });
    await step("no unit has failed", async () => assert.deepEqual(await server.failedUnits(), []));
  },
});
