import { MemoryStore } from "./index.ts";
import { describeStore } from "./store.contract.ts";

describeStore("MemoryStore", () => ({ store: new MemoryStore(), close: () => {} }));
