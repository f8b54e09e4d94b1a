import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, toBase64, utf8 } from "../../base/index.ts";
import { startSshServer } from "../git/testing-ssh.ts";
import { dialSsh, isDaemonThere, openDaemonStore, openSshDaemonStore, openSshStore, sshArguments } from "./index.ts";
import { eitherProgram } from "./ssh.ts";

const START = join(import.meta.dirname, "../../../tools/cli/start.ts");

const refuses = (code: string, run: () => unknown): void =>
  assert.throws(run, (error: CodedError) => error.code === code);

const open = (address: string, parameters: Readonly<Record<string, string>> = {}) =>
  openSshStore({ address, parameters: new Map(Object.entries(parameters)) });

test("sshArguments() asks for neither a terminal nor forwarding", () => {
  assert.equal(sshArguments({ host: "h", options: [] }), ["-x", "-a", "-T"]);
  assert.equal(sshArguments({ host: "h", port: 2222, keyFile: "/k", compress: true, options: ["-v"] }), [
    ...["-v", "-x", "-a", "-T", "-p", "2222", "-i", "/k", "-C"],
  ]);
  assert.ok(sshArguments({ host: "h", options: [] }, "/known").includes("StrictHostKeyChecking=yes"));
});

test("a host that ssh would take for an option is refused", () => {
  refuses("ssh.host", () => dialSsh({ host: "-oProxyCommand=evil" }, "true"));
  refuses("ssh.host", () => dialSsh({ host: "" }, "true"));
  refuses("ssh.host", () => dialSsh({ host: "a b" }, "true"));
  refuses("ssh.host", () => open("ssh://-oProxyCommand=evil"));
});

test("addresses of remote stores are read strictly", () => {
  for (const good of ["ssh://h", "ssh://alice@h", "ssh://alice@h.example:2222/", "ssh://[::1]:22", "ssh://10.0.0.1"])
    open(good).close();
  for (const wrong of ["ssh://", "ssh://h/path", "ssh://h:x", "ssh://a@b@c", "ssh://h:123456"])
    refuses("store-url.malformed", () => open(wrong));
  refuses("store-url.malformed", () => open("ssh://h", { "max-connections": "0" }));
  refuses("store-url.malformed", () =>
    openSshDaemonStore({ address: "ssh-ng://h", parameters: new Map([["max-connections", "many"]]) }),
  );
});

test("a daemon that is not there is an error that names its socket", async () => {
  const root = mkdtempSync(join(tmpdir(), "floe-nobody-"));
  assert.is(await isDaemonThere(join(root, "socket")), false);
  using store = openDaemonStore({ address: "daemon", parameters: new Map([["root", root]]) });
  try {
    await store.allPaths();
    assert.unreachable("expected an error");
  } catch (error) {
    assert.is((error as CodedError).code, "remote-store.unreachable");
    assert.match((error as CodedError).message, `${root}/nix/var/nix/daemon-socket/socket`);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("eitherProgram() runs ours where it is, else the other one, whatever the login shell", () => {
  const folder = mkdtempSync(join(tmpdir(), "floe-either-"));
  const ran = (PATH: string): string =>
    spawnSync("/bin/sh", ["-c", eitherProgram("ours --a 'b c'", "theirs --d")], { env: { PATH }, encoding: "utf8" })
      .stdout;
  try {
    for (const name of ["ours", "theirs"])
      writeFileSync(join(folder, name), `#!/bin/sh\necho ${name} "$#"\n`, { mode: 0o755 });
    assert.is(ran(`${folder}:/usr/bin:/bin`), "ours 2\n");
    rmSync(join(folder, "ours"));
    assert.is(ran(`${folder}:/usr/bin:/bin`), "theirs 1\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a real login carries both protocols, and only to the host that is meant", async () => {
  const server = await startSshServer();
  if (typeof server === "string") {
    console.log(`skipped: ${server}`);
    return;
  }
  const { port, folder } = server;
  const publicKey = (name: string): string => toBase64(utf8(readFileSync(join(folder, `${name}.pub`), "utf8")));
  const floe = `${process.execPath} --disable-warning=ExperimentalWarning ${START}`;
  const options = process.env["NIX_SSHOPTS"];
  // Nothing of the user's own configuration, and no questions.
  process.env["NIX_SSHOPTS"] = "-F none -o BatchMode=yes -o IdentitiesOnly=yes";
  try {
    const parameters = (program: string, key = publicKey("host")) =>
      new Map([
        ["remote-program", `${floe} ${program}`],
        ["remote-store", join(folder, "store with a blank")],
        ["ssh-key", join(folder, "user")],
        ["base64-ssh-public-host-key", key],
      ]);
    const address = `127.0.0.1:${port}`;
    using serve = openSshStore({ address: `ssh://${address}`, parameters: parameters("store serve") });
    const a = await serve.addText("a", "sent by ssh", []);
    const b = await serve.addText("b", a, [a]);
    using daemon = openSshDaemonStore({ address: `ssh-ng://${address}`, parameters: parameters("daemon") });
    assert.equal(await daemon.closure([b]), [a, b]);
    assert.is((await daemon.ping()).isTrusted, true);

    using wrong = openSshStore({
      address: `ssh://${address}`,
      parameters: parameters("store serve", publicKey("user")),
    });
    await wrong.isValid(a).then(
      () => assert.unreachable("expected the host to be refused"),
      (error: CodedError) => {
        assert.is(error.code, "remote-store.lost");
        assert.match(error.message, /verification failed/i);
      },
    );
  } finally {
    if (options === undefined) delete process.env["NIX_SSHOPTS"];
    else process.env["NIX_SSHOPTS"] = options;
    await server.stop();
  }
});

test.run();
