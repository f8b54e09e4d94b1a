import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import { describeExecutor } from "../../build/executor.contract.ts";
import type { StorePath } from "../../store/index.ts";
import { Closures } from "./closures.ts";
import { LocalExecutor } from "./local-executor.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, script } = bench;
  const closures = new Closures(store);
  const executor = new LocalExecutor({
    store,
    closures,
    keepFailed: false,
    timeoutSeconds: 60,
    maxSilentSeconds: 0,
    maxLogBytes: 0,
    maxProcesses: 1000,
    logLines: 25,
    sandbox: true,
    callerEnvironment: {},
  });
  describeExecutor("LocalExecutor", async () => ({
    executor,
    async request(text, options) {
      const drvPath = (await script(text, options)).drvPath as StorePath;
      const drv = store.readDerivation(drvPath);
      return { drvPath, drv, inputClosure: closures.closure(drv.inputSources), cores: 1, mode: "build" };
    },
    queryPathInfo: (path) => store.queryPathInfo(path),
    readText: (path) => readFileSync(store.realPath(path), "utf8"),
    hurry: () => executor.hurry(),
    leftovers: () =>
      readdirSync(store.realStoreDirectory).filter((name) => name !== ".links" && !store.isValid(`/nix/store/${name}`)),
  }));
  test.after(async () => {
    await executor.close();
    bench.close();
  });
}

test.run();
