import { readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ActivationRoot } from "../testing-activation.ts";
import { USERS_SNIPPET } from "./apply-users.ts";

const row = (...fields: (string | number)[]) => `${fields.join("\t")}\n`;
const root =
  row("group", "root", 0, "-") +
  row("user", "root", 0, "root", "/root", "/bin/sh", "system", "hash:", "System administrator");
const service = (name: string) =>
  row("group", name, "-", "-") + row("user", name, "-", name, "/var/empty", "/nologin", "system", "locked", "-");
const person = (name: string) =>
  row("user", name, "-", "users", `/home/${name}`, "/bin/sh", "normal", "hash:$6$x", "-");
const users = row("group", "users", 100, "alice");

class Machine extends ActivationRoot {
  apply(rows: string, mutable = 1): void {
    this.run(`users_spec='mutable\t${mutable}\n${rows}'\n${USERS_SNIPPET}`);
  }

  read(file: "passwd" | "group" | "shadow"): string[] {
    return readFileSync(this.path("etc", file), "utf8").trimEnd().split("\n");
  }

  idOf(name: string): number {
    return Number(
      this.read("passwd")
        .find((line) => line.startsWith(`${name}:`))
        ?.split(":")[2],
    );
  }
}

test("users and groups are made, with homes for people", () => {
  const machine = new Machine();
  machine.apply(root + users + service("web") + person("alice"));
  assert.equal(machine.read("passwd"), [
    "root:x:0:0:System administrator:/root:/bin/sh",
    "web:x:999:999::/var/empty:/nologin",
    "alice:x:1000:100::/home/alice:/bin/sh",
  ]);
  assert.equal(machine.read("group"), ["root:x:0:", "users:x:100:alice", "web:x:999:"]);
  assert.equal(machine.read("shadow"), ["root::1::::::", "web:!:1::::::", "alice:$6$x:1::::::"]);
  assert.is(statSync(machine.path("etc/shadow")).mode & 0o777, 0o600);
  assert.is(statSync(machine.path("etc/passwd")).mode & 0o777, 0o644);
  assert.is(statSync(machine.path("home/alice")).mode & 0o777, 0o700);
});

test("folders above a home are for everybody", () => {
  const machine = new Machine();
  machine.apply(root + users + person("alice").replace("/home/alice", "/home/people/alice"));
  assert.is(statSync(machine.path("home/people")).mode & 0o777, 0o755);
  assert.is(statSync(machine.path("home/people/alice")).mode & 0o777, 0o700);
});

test("a password file that is not there fails, yet every account exists; it counts once it is there", () => {
  const machine = new Machine();
  const alice = person("alice").replace("hash:$6$x", "file:/var/secret");
  assert.throws(() => machine.apply(root + users + alice), /found no password in \/var\/secret/);
  assert.ok(machine.read("shadow").includes("alice:!:1::::::"));
  assert.ok(machine.idOf("alice") > 0);
  writeFileSync(machine.path("var/secret"), "$6$late\n");
  machine.apply(root + users + alice);
  assert.ok(machine.read("shadow").includes("alice:$6$late:1::::::"));
});

test("a password that is declared later counts where there was none", () => {
  const machine = new Machine();
  machine.apply(root + users + person("alice").replace("hash:$6$x", "locked"));
  assert.ok(machine.read("shadow").includes("alice:!:1::::::"));
  machine.apply(root + users + person("alice"));
  assert.ok(machine.read("shadow").includes("alice:$6$x:1::::::"));
});

test("an id is never given to a second name, and its own name gets it back", () => {
  const machine = new Machine();
  machine.apply(root + service("first") + service("second"));
  const [first, second] = [machine.idOf("first"), machine.idOf("second")];
  assert.is.not(first, second);
  machine.apply(root);
  assert.is(machine.read("passwd").length, 1);
  machine.apply(root + service("third"));
  assert.not.ok([first, second].includes(machine.idOf("third")));
  machine.apply(root + service("second") + service("third"));
  assert.is(machine.idOf("second"), second);
});

test("a declared id is kept free for its name, also when the name comes later", () => {
  const machine = new Machine();
  machine.apply(root + service("early") + row("user", "late", 999, "root", "/", "/x", "system", "locked", "-"));
  assert.is(machine.idOf("late"), 999);
  assert.is(machine.idOf("early"), 998);
});

test("what was made by hand stays, and what is not declared any more goes", () => {
  const machine = new Machine();
  machine.apply(root + users + person("alice"));
  writeFileSync(
    machine.path("etc/passwd"),
    `${machine.read("passwd").join("\n")}\nbob:x:1001:100::/home/bob:/bin/sh\n`,
  );
  writeFileSync(
    machine.path("etc/shadow"),
    `${machine.read("shadow").join("\n").replace("$6$x", "$6$changed")}\nbob:$6$b:2::::::\n`,
  );
  machine.apply(root + users + person("alice") + person("carol"));
  assert.is(machine.idOf("bob"), 1001);
  assert.is(machine.idOf("carol"), 1002);
  assert.ok(machine.read("shadow").includes("alice:$6$changed:1::::::"), "a password changed by hand stays");
  machine.apply(root + users);
  assert.equal(
    machine.read("passwd").map((line) => line.split(":")[0]),
    ["root", "bob"],
  );
  machine.apply(root + users + person("alice"), 0);
  assert.equal(
    machine.read("passwd").map((line) => line.split(":")[0]),
    ["root", "alice"],
  );
  assert.ok(machine.read("shadow").includes("alice:$6$x:1::::::"));
});

test("killed at any instant, accounts are the old ones or the new ones, and ids stay", () => {
  const before = root + users + service("web");
  const after = root + users + service("first") + service("web") + person("alice");
  let ended = false;
  for (let killAt = 100; !ended; killAt += 37) {
    const machine = new Machine();
    machine.apply(before);
    const [web, passwd] = [machine.idOf("web"), machine.read("passwd").length];
    ended = machine.run(`users_spec='mutable\t1\n${after}'\n${USERS_SNIPPET}`, "", killAt);
    assert.ok([passwd, passwd + 2].includes(machine.read("passwd").length), `passwd after command ${killAt}`);
    assert.is(machine.idOf("web"), web);
    machine.apply(after);
    assert.is(machine.idOf("web"), web);
    assert.is(machine.idOf("first"), web - 1);
    assert.is(machine.read("shadow").length, passwd + 2);
  }
});

test("a second run with the same declaration changes nothing", () => {
  const machine = new Machine();
  const rows = root + users + person("alice");
  machine.apply(rows);
  const before = statSync(machine.path("etc/passwd")).ino;
  machine.apply(rows);
  assert.is(statSync(machine.path("etc/passwd")).ino, before);
});

test.run();
