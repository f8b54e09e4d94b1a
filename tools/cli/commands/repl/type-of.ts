import { realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { EXPRESSION_OUTPUTS, FLAKE_FILE_NAME } from "../../../../core/host/evaluator/index.ts";
import { makeScratch } from "../../../../core/host/files/index.ts";
import { type FlakeProjectOptions, makeFlakeProject, writeProject } from "../../../../core/host/types/flake-project.ts";
import { LanguageServer } from "../../../../core/host/types/language-server.ts";

export interface TypeOfOptions extends FlakeProjectOptions {
  /** Folder of the flake. */
  readonly directory: string;
  readonly declarations: readonly string[];
}

/**
 * The type of an expression over the outputs, as the language server of TypeScript says it. Whether the flake has a `tsconfig.json` and
 * what it says does not matter, as for `floe flake check`.
 *
 * @throws {CodedError} `flake.type-error` at the first fault in the expression
 */
export async function typeOf(text: string, options: TypeOfOptions): Promise<string | undefined> {
  const { directory, declarations } = options;
  const flake = join(directory, FLAKE_FILE_NAME);
  const head = [
    `import flake from ${JSON.stringify(flake)};`,
    "declare const outputs: ReturnType<typeof flake.outputs>;",
    'declare const self: Parameters<typeof flake.outputs>[0]["self"];',
    'declare const inputs: Parameters<typeof flake.outputs>[0]["inputs"];',
    "type Output<Name extends string> = typeof outputs extends { readonly [name in Name]?: infer Value } ? NonNullable<Value> : {};",
    'declare const pkgs: Output<"packages">[keyof Output<"packages">];',
    ...EXPRESSION_OUTPUTS.map((name) => `declare const ${name}: Output<"${name}">;`),
    ...declarations,
  ].join("\n");
  const line = head.split("\n").length;
  const project = await makeFlakeProject(options);
  const folder = realpathSync(makeScratch("types"));
  try {
    const file = join(folder, "expression.ts");
    const whole = `${head}\nexport const it = (\n${text}\n);\n`;
    writeFileSync(file, whole);
    writeProject(folder, project, { files: [flake, file] });
    using server = await LanguageServer.open(folder);
    server.write(file, whole);
    const fault = (await server.faults(file)).find((each) => each.line > line);
    if (fault !== undefined) {
      const lines = text.split("\n");
      // What is missing at the end shows behind it, where the brackets around it are.
      const place =
        fault.line - line <= lines.length
          ? { line: fault.line - line, column: fault.character + 1 }
          : { line: lines.length, column: (lines.at(-1) as string).length + 1 };
      const at = { file: "<expression>", ...place };
      throw new CodedError("flake.type-error", `Cannot tell the type: ${fault.message}`, { at });
    }
    const shown = await server.hover(file, { line, character: "export const ".length });
    return shown?.replace(/^const it: /, "").replace(/^```\w*\n|\n```$/g, "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
