import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveRepositories, TestRepository } from "../../../core/host/git/testing.ts";
import { temporaryDirectory } from "../testing.ts";
import { sections } from "./mistakes/all.ts";
import type { Section } from "./mistake.ts";
import { makePage, type Told } from "./page.ts";
import { runMistake } from "./run-mistake.ts";

/** More than there are processors: a run waits for its evaluation. */
const AT_ONCE = 3;

/** Every mistake of the gallery with its message, and the page they make. */
export async function makeGallery(): Promise<{ readonly page: string; readonly told: readonly Told[] }> {
  const root = temporaryDirectory();
  const server = await serveRepositories(`${root}/served`);
  try {
    makeLibrary(`${root}/served/library`);
    const world = { url: server.url, down: await closedAddress() };
    const results = new Map<Section, Told[]>(sections.map((section) => [section, []]));
    const queue = sections.flatMap((section) =>
      section.mistakes.map((mistake, index) => async () => {
        (results.get(section) as Told[])[index] = { mistake, shown: await runMistake(section, mistake, world) };
      }),
    );
    const worker = async (): Promise<void> => {
      for (let run = queue.shift(); run !== undefined; run = queue.shift()) await run();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const all = [...results];
    return { page: makePage(all), told: all.flatMap(([, told]) => told) };
  } finally {
    await server.close();
  }
}

/** The repository that inputs of the gallery come from: two versions, and an input of its own. */
function makeLibrary(folder: string): void {
  const repository = new TestRepository(folder);
  repository.write({
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nexport default defineFlake({ inputs: { base: "git+http://base.example.org/base" }, outputs: () => ({}) });\n`,
  });
  repository.commit();
  repository.git("tag", "v1.0.0");
  repository.git("tag", "v1.2.0");
}

/** An address of this machine where nobody listens any more. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/`;
}

/** Where the page lies. */
export const PAGE_FILE = new URL("../../../docs/errors.md", import.meta.url);

if (process.argv[1] === import.meta.filename) writeFileSync(PAGE_FILE, (await makeGallery()).page);
