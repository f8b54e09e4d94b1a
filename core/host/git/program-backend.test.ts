import { describeGitBackend } from "./backend.contract.ts";
import { programBackend } from "./program-backend.ts";

describeGitBackend("programBackend", programBackend, async (root) => ({
  url: `file://${root}/`,
  close: async () => {},
}));
