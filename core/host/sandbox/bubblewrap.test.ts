import { findProgram } from "../process/index.ts";
import { BubblewrapSandbox } from "./bubblewrap.ts";
import { describeSandbox } from "./sandbox.contract.ts";

const isRoot = process.getuid?.() === 0;
const program = findProgram("bwrap");

await describeSandbox(
  "bubblewrap",
  async () => (program === undefined ? "it is not on the PATH" : new BubblewrapSandbox(program)),
  {
    user: isRoot ? { uid: 0x34000000 + 901 * 0x10000, gid: 0x34000000 + 901 * 0x10000 } : undefined,
    limitsProcesses: isRoot,
    // It forbids them by itself.
    canAllowPrivileges: false,
    reusesUsers: false,
  },
);
