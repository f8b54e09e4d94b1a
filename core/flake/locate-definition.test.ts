import { test } from "uvu";
import * as assert from "uvu/assert";
import { locateDefinition } from "./index.ts";

const TEXT = `import { force } from "#floe/module";
define({ services: { other: {} } });
define({
  // services: { web: { port: 1 } },
  services: {
    "web": force({ port: 8080, hosts: ["a:b", "c"], enable }),
  },
});
define({ services: { web: { late: true } } });
`;
const find = (path: string, line = 3) => locateDefinition(TEXT, { line, column: 1 }, path.split("."));

test("locateDefinition() finds keys, also in quotes, in other calls and in short form", () => {
  assert.equal(find("services.web"), { line: 6, column: 5 });
  assert.equal(find("services.web.port"), { line: 6, column: 20 });
  assert.equal(find("services.web.hosts"), { line: 6, column: 32 });
  assert.equal(find("services.web.enable"), { line: 6, column: 53 });
});

test("locateDefinition() gives the longest beginning that is written there, and stays in its call", () => {
  assert.equal(find("services.web.late"), { line: 6, column: 5 });
  assert.equal(find("services.web.late", 9), { line: 9, column: 29 });
  assert.is(find("networking.hostName"), undefined);
  assert.is(find("services.web", 99), undefined);
});

test.run();
