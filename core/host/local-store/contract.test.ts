import { describeStore } from "../../store/store.contract.ts";
import { openTemporaryStore } from "./testing.ts";

describeStore("LocalStore", openTemporaryStore);
