import { test } from "uvu";
import * as assert from "uvu/assert";
import { planNetworks, type PlanNetworksOptions } from "./plan-networks.ts";

const code = (error: { code: string }) => error.code === "vm-test.network";

test("planNetworks() gives machines addresses by their order, and names by the networks they share", () => {
  const { web, router, far } = planNetworks({
    networks: { lan: {}, wan: { ipv4: "10.0.5", ipv6: "fd77:0:0:1" } },
    machines: { web: ["lan"], router: ["wan", "lan"], far: ["wan"], alone: [] },
  });
  assert.equal(web?.nics, [{ network: "lan", mac: "52:54:00:f1:01:01" }]);
  assert.equal(router?.nics, [
    { network: "wan", mac: "52:54:00:f1:02:02" },
    { network: "lan", mac: "52:54:00:f1:01:02" },
  ]);
  assert.equal(web?.config.networking?.networks, {
    "10-lan": {
      Match: { PermanentMACAddress: "52:54:00:f1:01:01" },
      Network: { Address: ["192.168.1.1/24", "fd00:0:0:1::1/64"], IPv6AcceptRA: false, LinkLocalAddressing: "ipv6" },
    },
  });
  assert.equal(web?.config.networking?.hosts, {
    "192.168.1.1": ["web", "web.lan"],
    "fd00:0:0:1::1": ["web", "web.lan"],
    "10.0.5.2": ["router.wan"],
    "fd77:0:0:1::2": ["router.wan"],
    "192.168.1.2": ["router", "router.lan"],
    "fd00:0:0:1::2": ["router", "router.lan"],
    // Not in a network of ours, but perhaps behind a router.
    "10.0.5.3": ["far", "far.wan"],
    "fd77:0:0:1::3": ["far", "far.wan"],
  });
  assert.equal((far?.config.networking?.hosts as Record<string, unknown>)["10.0.5.2"], ["router", "router.wan"]);
});

test("planNetworks() leaves a machine of no network as it is", () => {
  assert.equal(planNetworks({ networks: {}, machines: { machine: [] } }), { machine: { nics: [], config: {} } });
});

test("planNetworks() refuses networks that can't be", () => {
  const refused = (options: PlanNetworksOptions): void => assert.throws(() => planNetworks(options), code);
  refused({ networks: { lan: {} }, machines: { web: ["wan"] } });
  refused({ networks: { lan: {} }, machines: { web: ["lan", "lan"] } });
  for (const name of ["Lan", "1lan", "a-name-that-is-too-long", ""])
    refused({ networks: { [name]: {} }, machines: {} });
  for (const ipv4 of ["10.0", "10.0.256", "10.0.5.1", "a.b.c"]) refused({ networks: { lan: { ipv4 } }, machines: {} });
  for (const ipv6 of ["fd00::1", "fd00:0:0:12345", "fd00:0:0:g"])
    refused({ networks: { lan: { ipv6 } }, machines: {} });
  const many = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`m${index}`, ["lan"]]));
  refused({ networks: { lan: {} }, machines: many });
});

test.run();
