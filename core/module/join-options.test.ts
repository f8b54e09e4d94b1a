import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type AnyOption,
  type Module,
  type OptionGroup,
  declare,
  defaults,
  defineModule,
  documentOptions,
  option,
} from "./index.ts";
import { type Tree, failure, read } from "./testing.ts";

const WEB = declare("web", {
  hosts: option.attrsOf(
    option.submodule(
      { root: option.str({ default: "/srv" }), tls: { port: option.port({ default: 443 }) } },
      { rule: ({ name, define }) => define({ root: defaults(`/srv/${name}`) }) },
    ),
    { placeholder: "host", description: "Hosts by name." },
  ),
});
const hostsWith = (options: OptionGroup, extras: object = {}): Module =>
  defineModule(declare("web", { hosts: option.attrsOf(option.submodule(options, extras)) }));

test("evaluateModules() joins submodules that several modules declare, in any order", () => {
  const certificates = hostsWith(
    { email: option.str(), tls: { certificate: option.str({ default: "none" }) } },
    {
      rule: ({ name, cfg, define }: { name: string; cfg: Tree; define: (definitions: Tree) => void }) =>
        define({ email: defaults(`root@${name}`), tls: { certificate: defaults(`${cfg.root}.pem`) } }),
    },
  );
  const web = defineModule(WEB);
  const config = { web: { hosts: { a: { tls: { port: 1 } }, b: { root: "/b", email: "b@c" } } } };
  const expected = {
    a: { email: "root@a", root: "/srv/a", tls: { certificate: "/srv/a.pem", port: 1 } },
    b: { email: "b@c", root: "/b", tls: { certificate: "/b.pem", port: 443 } },
  };
  assert.equal(read([web, certificates], config)["web"].hosts, expected);
  assert.equal(read([certificates, web], config)["web"].hosts, expected);
  const documented = documentOptions([web, certificates]).map(({ path }) => path);
  assert.equal(documented.slice(1), [
    "web.hosts.<host>.email",
    "web.hosts.<host>.root",
    "web.hosts.<host>.tls.certificate",
    "web.hosts.<host>.tls.port",
  ]);
});

test("option.declared-twice names what both submodules declare, and types that are no submodules stay one module's", () => {
  const codeOf = (...modules: Module[]) => {
    const { code, message } = failure(() => read(modules));
    return [code, /"([^"]*)"/.exec(message)?.[1]];
  };
  const web = defineModule(WEB);
  assert.equal(codeOf(web, hostsWith({ tls: { port: option.port() } })), [
    "option.declared-twice",
    "web.hosts.<host>.tls.port",
  ]);
  assert.equal(codeOf(web, hostsWith({ tls: option.str() })), ["option.declared-twice", "web.hosts.<host>.tls"]);
  assert.equal(codeOf(hostsWith({ a: option.str() }), hostsWith({ a: option.str() })), [
    "option.declared-twice",
    "web.hosts.<name>.a",
  ]);
  const listed = defineModule(declare("web", { hosts: option.listOf(option.submodule({ x: option.str() })) }));
  assert.equal(codeOf(web, listed), ["option.declared-twice", "web.hosts"]);
  const twice = () => defineModule(declare("a", { n: option.submodule({}, { default: {} }) }));
  assert.equal(codeOf(twice(), twice()), ["option.declared-twice", "a.n"]);
  const free = (type: AnyOption) => defineModule(declare("a", { n: option.submodule({}, { freeform: type }) }));
  assert.equal(codeOf(free(option.str()), free(option.int())), ["option.declared-twice", "a.n.<name>"]);
  const both = [
    free(option.str()),
    defineModule(declare("a", { n: option.submodule({ x: option.int({ default: 1 }) }) })),
  ];
  assert.equal(read(both, { a: { n: { y: "z" } } })["a"].n, { x: 1, y: "z" });
});

test.run();
