import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, toBase64, utf8 } from "../../base/index.ts";
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

/** A real ssh server for this user, on the loopback. */
interface Server {
  readonly port: number;
  readonly keyFile: string;
  /** Base 64 of the line of its public key. */
  readonly hostKey: string;
  readonly directory: string;
  stop(): Promise<void>;
}

async function startServer(): Promise<Server | string> {
  const program = ["/usr/sbin/sshd", "/usr/bin/sshd"].find((path) => existsSync(path));
  if (program === undefined) return "sshd is not installed, so no login can be tried";
  if (spawnSync("ssh-keygen", ["-?"]).error !== undefined) return "ssh-keygen is not on the PATH";
  if (process.getuid?.() !== 0) return "only root can start a server that lets somebody in";
  const directory = mkdtempSync(join(tmpdir(), "floe-sshd-"));
  for (const key of ["host", "user"]) {
    const made = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(directory, key)]);
    assert.is(made.status, 0, String(made.stderr));
  }
  const port = await freePort();
  writeFileSync(
    join(directory, "config"),
    [
      `HostKey ${directory}/host`,
      `AuthorizedKeysFile ${directory}/user.pub`,
      ...["ListenAddress 127.0.0.1", `Port ${port}`, `PidFile ${directory}/pid`, "StrictModes no", "UsePAM no"],
      ...["PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", ""],
    ].join("\n"),
  );
  mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const child: ChildProcess = spawn(program, ["-D", "-e", "-f", join(directory, "config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  while (!said.includes("Server listening") && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  if (child.exitCode !== null) return `sshd ended: ${said.trim()}`;
  return {
    port,
    directory,
    keyFile: join(directory, "user"),
    hostKey: toBase64(utf8(readFileSync(join(directory, "host.pub"), "utf8"))),
    async stop() {
      const ended = new Promise((resolve) => void child.once("close", resolve));
      child.kill();
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

test("a real login carries both protocols, and only to the host that is meant", async () => {
  const server = await startServer();
  if (typeof server === "string") {
    console.log(`skipped: ${server}`);
    return;
  }
  const { port, directory, keyFile, hostKey } = server;
  const floe = `${process.execPath} --disable-warning=ExperimentalWarning ${START}`;
  const options = process.env["NIX_SSHOPTS"];
  // Nothing of the user's own configuration, and no questions.
  process.env["NIX_SSHOPTS"] = "-F none -o BatchMode=yes -o IdentitiesOnly=yes";
  try {
    const parameters = (program: string, key = hostKey) =>
      new Map([
        ["remote-program", `${floe} ${program}`],
        ["remote-store", join(directory, "store with a blank")],
        ["ssh-key", keyFile],
        ["base64-ssh-public-host-key", key],
      ]);
    const address = `127.0.0.1:${port}`;
    using serve = openSshStore({ address: `ssh://${address}`, parameters: parameters("store serve") });
    const a = await serve.addText("a", "sent by ssh", []);
    const b = await serve.addText("b", a, [a]);
    using daemon = openSshDaemonStore({ address: `ssh-ng://${address}`, parameters: parameters("daemon") });
    assert.equal(await daemon.closure([b]), [a, b]);
    assert.is((await daemon.ping()).isTrusted, true);

    const other = toBase64(utf8(readFileSync(join(directory, "user.pub"), "utf8")));
    using wrong = openSshStore({ address: `ssh://${address}`, parameters: parameters("store serve", other) });
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
