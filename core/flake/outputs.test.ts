import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../base/index.ts";
import { inspectOutput, locateOutput, outlineOutputs } from "./index.ts";

const PACKAGE = { kind: "package", name: "curl", version: "8.9.1", meta: { summary: "Fetches" } };
const DERIVATION = { name: "a", drvPath: "/nix/store/a.drv", outPath: "/nix/store/a" };

function faultOf(path: readonly string[], value: unknown): CodedError {
  try {
    inspectOutput(path, value);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("It was taken for good");
}

test("outlineOutputs() lists members in the order of the known outputs, and makes none", () => {
  const outputs = {
    text: "free",
    systems: {
      get web() {
        throw new Error("It was made");
      },
    },
    packages: { "x86_64-linux": { b: 1, a: 2 }, "aarch64-linux": {} },
    formatter: { "x86_64-linux": 1 },
    apps: undefined,
  };
  assert.equal(outlineOutputs(outputs), {
    paths: [
      ["packages", "x86_64-linux", "b"],
      ["packages", "x86_64-linux", "a"],
      ["formatter", "x86_64-linux"],
      ["systems", "web"],
      ["text"],
    ],
    faults: [],
    warnings: [],
  });
});

test("outlineOutputs() goes on after a part that fails", () => {
  const { paths, faults } = outlineOutputs({
    get packages() {
      throw new Error("no packages");
    },
    checks: {
      get "x86_64-linux"() {
        throw new Error("no checks");
      },
      "aarch64-linux": { a: 1 },
    },
    apps: { default: { type: "app", program: "" } },
    overlays: 3,
  });
  assert.equal(paths, [["checks", "aarch64-linux", "a"]]);
  assert.equal(
    faults.map(({ path, error }) => [path.join("."), (error as Error).message]),
    [
      ["packages", "no packages"],
      [
        "apps.default",
        'Cannot use the output "apps.default": "default" is no platform, expected one like "x86_64-linux"',
      ],
      ["checks.x86_64-linux", "no checks"],
      ["overlays", 'Cannot use the output "overlays": found a number, expected members by name'],
    ],
  );
});

test("outlineOutputs() warns of names that are hardly meant", () => {
  const { warnings } = outlineOutputs({ package: {}, packages: { "x86-64-linux": {} }, anything: 1 });
  assert.equal(
    warnings.map(({ message }) => message),
    [
      'Floe knows no platform "x86-64-linux". Did you mean "x86_64-linux"?',
      'Floe knows no output "package". Did you mean "packages"?',
    ],
  );
});

test("outlineOutputs() takes modules as a list or by name", () => {
  assert.equal(outlineOutputs({ modules: [] }).paths, [["modules"]]);
  assert.equal(outlineOutputs({ modules: { default: [] } }).paths, [["modules", "default"]]);
});

test("inspectOutput() tells the name and description of each kind", () => {
  const path = ["packages", "x86_64-linux", "x"];
  assert.equal(inspectOutput(path, PACKAGE), { type: "package", name: "curl-8.9.1", description: "Fetches" });
  assert.equal(inspectOutput(["checks", "x86_64-linux", "x"], DERIVATION), { type: "check", name: "a" });
  const program = `/nix/store/${"0".repeat(32)}-a/bin/curl`;
  assert.equal(inspectOutput(["apps", "x86_64-linux", "x"], { type: "app", program }), { type: "app", name: "curl" });
  assert.equal(inspectOutput(["modules", "a"], { kind: "module", key: "services.a" }), {
    type: "module",
    name: "services.a",
  });
  assert.equal(inspectOutput(["modules"], [{ kind: "module" }, { kind: "module" }]), {
    type: "module",
    name: "2 modules",
  });
  assert.equal(inspectOutput(["homes", "alice"], { kind: "home", name: "alice", activation: DERIVATION }), {
    type: "home",
    name: "alice",
  });
  assert.equal(inspectOutput(["templates", "a"], { path: "/nix/store/x", description: "A start" }), {
    type: "template",
    description: "A start",
  });
  assert.equal(
    inspectOutput(["lib"], () => 1),
    { type: "unknown", name: "a function" },
  );
});

test("inspectOutput() refuses what is of another kind, and says of which", () => {
  const cases: readonly [readonly string[], unknown, RegExp][] = [
    [["packages", "x86_64-linux", "x"], 3, /found a number, expected a package or a derivation/],
    [["packages", "x86_64-linux", "x"], undefined, /found nothing/],
    [["packages", "x86_64-linux", "x"], { kind: "package-definition" }, /found what definePackage\(\) gives/],
    [["apps", "x86_64-linux", "x"], PACKAGE, /found a package, expected an app/],
    [["apps", "x86_64-linux", "x"], { type: "app" }, /found the program nothing, expected a text/],
    [["apps", "x86_64-linux", "x"], { type: "app", program: "/bin/sh" }, /found the program "\/bin\/sh"/],
    [["overlays", "x"], {}, /expected what defineOverlay\(\) gives/],
    [["modules", "x"], [{ kind: "module" }, 1], /found a number, expected what defineModule\(\) gives/],
    [["systems", "x"], PACKAGE, /expected what makeSystem\(\) gives/],
    [["homes", "x"], { kind: "home", name: "x" }, /expected a home/],
    [["vmTests", "x"], {}, /expected what vmTest\(\) gives/],
    [["templates", "x"], { path: 1, description: "" }, /found the path a number/],
    [["templates", "x"], { path: "/a" }, /found the description nothing, expected a text/],
    [["formatter", "x86_64-linux"], {}, /found an object, expected a package or a derivation/],
  ];
  for (const [path, value, message] of cases) {
    const fault = faultOf(path, value);
    assert.is(fault.code, "flake.output-malformed");
    assert.match(fault.message, message);
  }
});

test("locateOutput() finds the key that a member is written at", () => {
  const text = `export default defineFlake({
  inputs: { packages: "path:./x" },
  outputs({ inputs }) {
    const web = { packages: 1 };
    return {
      // packages: no
      packages: { "x86_64-linux": { hello: pkgs.hello, get bad() { return { a: 1 }; } } },
      systems: { web },
    };
  },
});
`;
  const at = (...path: string[]) => {
    const { line = 0, column = 0, depth = -1 } = locateOutput(text, path) ?? {};
    return `${line}:${column} ${path.length - depth}`;
  };
  assert.is(at("packages", "x86_64-linux", "hello"), "7:37 0");
  assert.is(at("packages", "x86_64-linux", "bad"), "7:60 0");
  assert.is(at("systems", "web"), "8:18 0");
  assert.is(at("systems", "other"), "8:7 1");
  assert.is(at("checks"), "3:3 1");
  assert.is(locateOutput("export default 1", ["packages"]), undefined);
});

test.run();
