import { join } from "node:path";
import { EXPRESSION_OUTPUTS } from "../../../../core/host/evaluator/index.ts";
import { LanguageServer } from "../../../../core/host/types/language-server.ts";

/** The type of an expression over the outputs, as the language server of TypeScript says it. */
export async function typeOf(
  directory: string,
  declarations: readonly string[],
  text: string,
): Promise<string | undefined> {
  const file = join(directory, "floe-repl.ts");
  const head = [
    'import flake from "./flake.config.ts";',
    "declare const outputs: ReturnType<typeof flake.outputs>;",
    'declare const self: Parameters<typeof flake.outputs>[0]["self"];',
    'declare const inputs: Parameters<typeof flake.outputs>[0]["inputs"];',
    "type Output<Name extends string> = typeof outputs extends { readonly [name in Name]?: infer Value } ? NonNullable<Value> : {};",
    'declare const pkgs: Output<"packages">[keyof Output<"packages">];',
    ...EXPRESSION_OUTPUTS.map((name) => `declare const ${name}: Output<"${name}">;`),
    ...declarations,
  ].join("\n");
  using server = await LanguageServer.open(directory);
  server.write(file, `${head}\nexport const it = (\n${text}\n);\n`);
  const shown = await server.hover(file, { line: head.split("\n").length, character: "export const ".length });
  return shown?.replace(/^const it: /, "").replace(/^```\w*\n|\n```$/g, "");
}
