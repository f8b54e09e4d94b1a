import { spawnSync } from "node:child_process";
import { describeStore } from "../../store/store.contract.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { runServeConnection, runWorkerConnection } from "../store-server/index.ts";
import { openServedStore } from "../store-server/testing.ts";
import { DaemonStore, type Dial, SshStore } from "./index.ts";
import { dialInside, dialNix, withoutDigests } from "./testing.ts";

function overSsh(dial: Dial, close: () => void) {
  const store = new SshStore({ where: '"tested"', dial });
  return {
    store: withoutDigests(store),
    close: () => {
      store.close();
      close();
    },
  };
}

function overDaemon(dial: Dial, close: () => void) {
  const store = new DaemonStore({ where: '"tested"', dial });
  return {
    store,
    close: () => {
      store.close();
      close();
    },
  };
}

describeStore("SshStore and our server", () => {
  const { services, close } = openServedStore();
  return overSsh(
    dialInside((input, output) => runServeConnection({ services, input, output, write: true })),
    close,
  );
});

describeStore("DaemonStore and our server", () => {
  const { services, close } = openServedStore();
  return overDaemon(
    dialInside((input, output) => runWorkerConnection({ services, input, output, trusted: true })),
    close,
  );
});

if (spawnSync("nix-store", ["--version"]).status === 0) {
  describeStore("SshStore and nix-store --serve", () => {
    const { store, close } = openTemporaryStore();
    return overSsh(dialNix(store.root, "nix-store", "--serve", "--write"), close);
  });

  describeStore("DaemonStore and nix-daemon", () => {
    const { store, close } = openTemporaryStore();
    return overDaemon(dialNix(store.root, "nix-daemon", "--stdio"), close);
  });
} else {
  console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");
}
