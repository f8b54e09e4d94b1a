import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { temporaryFolder } from "./testing.ts";

/** A real ssh server on the loopback. */
export interface SshServer {
  readonly port: number;
  /** Removed at exit. It has the keys `host`, `user`, which is let in, and `other`, which is not, each with its `.pub`. */
  readonly folder: string;
  /** `ssh://root@127.0.0.1:PORT`, without a path. */
  readonly url: string;
  /** How git is to call ssh: the right key, and nothing of the user's own. */
  readonly command: string;
  /** The same with a key the server does not know, and where the key of the server is not known. */
  readonly wrongKeyCommand: string;
  readonly strangerCommand: string;
  stop(): Promise<void>;
}

/** For tests: let this machine's root in by a key made for it. @returns why not, where that is impossible. */
export async function startSshServer(): Promise<SshServer | string> {
  const program = ["/usr/sbin/sshd", "/usr/bin/sshd"].find((path) => existsSync(path));
  if (program === undefined) return "sshd is not installed";
  if (process.getuid?.() !== 0) return "only root can start a server that lets somebody in";
  const folder = temporaryFolder();
  for (const key of ["host", "user", "other"]) {
    const { status } = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${folder}/${key}`]);
    if (status !== 0) return "ssh-keygen makes no keys";
  }
  for (let attempt = 1; ; attempt++) {
    const started = await startOn(program, folder, await freePort());
    // Between the two somebody else may have taken the port.
    if (typeof started !== "string" || attempt === 5 || !started.includes("already in use")) return started;
  }
}

async function startOn(program: string, folder: string, port: number): Promise<SshServer | string> {
  const lines = [
    ...[`HostKey ${folder}/host`, `AuthorizedKeysFile ${folder}/user.pub`, `PidFile ${folder}/pid`, `Port ${port}`],
    ...["ListenAddress 127.0.0.1", "StrictModes no", "UsePAM no", "PermitRootLogin yes"],
    ...["PasswordAuthentication no", "KbdInteractiveAuthentication no", ""],
  ];
  writeFileSync(`${folder}/config`, lines.join("\n"));
  writeFileSync(`${folder}/known`, `[127.0.0.1]:${port} ${readFileSync(`${folder}/host.pub`, "utf8")}`);
  writeFileSync(`${folder}/nobody`, "");
  mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const child: ChildProcess = spawn(program, ["-D", "-e", "-f", `${folder}/config`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  while (!said.includes("Server listening") && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  if (child.exitCode !== null) return `sshd ended: ${said.trim()}`;
  const command = (key: string, known: string): string =>
    `ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes -o UserKnownHostsFile=${folder}/${known} -i ${folder}/${key}`;
  return {
    port,
    folder,
    url: `ssh://root@127.0.0.1:${port}`,
    command: command("user", "known"),
    wrongKeyCommand: command("other", "known"),
    strangerCommand: command("user", "nobody"),
    stop() {
      const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
      child.kill();
      return ended;
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
