/** What one line of the user asks for. */
export type Input =
  | { readonly kind: "nothing" }
  /** More lines have to come: a bracket or a template is open. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "command"; readonly name: string; readonly rest: string }
  | { readonly kind: "declaration"; readonly text: string }
  | { readonly kind: "expression"; readonly text: string };

/** Read what was typed so far. */
export function readInput(text: string): Input {
  const trimmed = text.trim();
  if (trimmed === "") return { kind: "nothing" };
  const command = /^:(\S+)\s*([\s\S]*)$/.exec(trimmed);
  if (command !== null) return { kind: "command", name: command[1] as string, rest: command[2] as string };
  if (isOpen(trimmed)) return { kind: "incomplete" };
  if (/^(?:const|let|function|class|type|interface)\s+[\w$[{]/.test(trimmed))
    return { kind: "declaration", text: trimmed };
  return { kind: "expression", text: trimmed.replace(/;+$/, "") };
}

/** Whether a bracket, a template or a comment is open at the end. */
function isOpen(text: string): boolean {
  const around: string[] = [];
  const part = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\/\*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\\[\s\S]|\$\{|[`()[\]{}]/g;
  for (const [found] of text.matchAll(part)) {
    const inTemplate = around.at(-1) === "`";
    if (found === "/*") return true;
    if (found === "`") {
      if (inTemplate) around.pop();
      else around.push(found);
    } else if (inTemplate) {
      if (found === "${") around.push(found);
    } else if ("([{".includes(found) || found === "${") around.push(found);
    else if (")]}".includes(found)) around.pop();
  }
  return around.length > 0;
}

/** What is to be completed: an expression whose members are meant (empty for the names at hand), and the beginning of a name. */
export function completionTarget(line: string): { readonly of: string; readonly begin: string } {
  const [, path = "", begin = ""] = /((?:[A-Za-z_$][\w$]*(?:\["[^"]*"\])*\.)*)([A-Za-z_$][\w$]*)?$/.exec(line) ?? [];
  return { of: path.replace(/\.$/, ""), begin };
}
