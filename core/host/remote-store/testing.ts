import { spawn } from "node:child_process";
import type { TestedStore } from "../../store/store.contract.ts";
import type { WireOutput } from "../../store/wire/index.ts";
import { Channel } from "../store-server/testing.ts";
import { type Dial, dialProgram } from "./connection.ts";
import type { SshStore } from "./ssh-store.ts";

/** Connections to a server inside this process. */
export function dialInside(serve: (input: AsyncIterable<Uint8Array>, output: WireOutput) => Promise<void>): Dial {
  return async () => {
    const toServer = new Channel();
    const toClient = new Channel();
    let complaint = "";
    void serve(toServer, toClient)
      .catch((error: unknown) => {
        complaint = error instanceof Error ? error.message : String(error);
      })
      .then(() => toClient.end());
    return { input: toClient, output: toServer, complaint: async () => complaint, close: () => toServer.end() };
  };
}

/** A program of real Nix that serves the chroot store below `root`. */
export function dialNix(root: string, program: string, ...args: string[]): Dial {
  return dialProgram(() =>
    spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, NIX_REMOTE: root } }),
  );
}

/** A store by ssh without the question its protocol does not have. */
export function withoutDigests(store: SshStore): TestedStore {
  return {
    storeDirectory: store.storeDirectory,
    isValid: (path) => store.isValid(path),
    queryPathInfo: (path) => store.queryPathInfo(path),
    closure: (paths) => store.closure(paths),
    readNar: (path) => store.readNar(path),
    addText: (name, contents, references) => store.addText(name, contents, references),
    importNar: (info, nar) => store.importNar(info, nar),
  };
}
