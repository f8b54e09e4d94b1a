import { CodedError, compareText } from "../base/index.ts";
import { binPath, quoteShell } from "./shell.ts";

/** One step of activation. */
export interface ActivationSnippet {
  readonly text: string;
  readonly deps: readonly string[];
  readonly supportsDryActivation: boolean;
}

/** What {@link formatActivationScript} takes. */
export interface ActivationScriptOptions {
  /** Store path of the package that has `bin/bash`. */
  readonly shell: string;
  /** Packages whose programs the snippets use. */
  readonly path: readonly string[];
  readonly snippets: Readonly<Record<string, ActivationSnippet>>;
}

/** Stands for the toplevel's own path until its builder knows it. */
export const SELF = "@toplevel@";

/**
 * The names of snippets in an order in which each comes after its `deps`; among free ones by name.
 *
 * @throws {CodedError} `activation.unknown-dep` when a snippet waits for one that does not exist;
 *   `activation.cycle` when snippets wait for each other.
 */
export function sortSnippets(snippets: Readonly<Record<string, ActivationSnippet>>): string[] {
  const sorted: string[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (name: string, from: readonly string[]): void => {
    if (state.get(name) === "done") return;
    if (state.get(name) === "open") {
      const circle = [...from.slice(from.indexOf(name)), name].join(" → ");
      throw new CodedError("activation.cycle", `Cannot order activation scripts: found the circle ${circle}`);
    }
    const snippet = snippets[name];
    if (snippet === undefined) {
      throw new CodedError(
        "activation.unknown-dep",
        `Cannot order activation script "${from.at(-1)}": found the dependency "${name}", expected one of ${Object.keys(snippets).sort(compareText).join(", ")}`,
      );
    }
    state.set(name, "open");
    for (const dep of [...snippet.deps].sort(compareText)) visit(dep, [...from, name]);
    state.set(name, "done");
    sorted.push(name);
  };
  for (const name of Object.keys(snippets).sort(compareText)) visit(name, []);
  return sorted;
}

/**
 * The program `<toplevel>/activate`: runs every snippet in its own shell, tells which ones failed, and
 * ends with 2 if any did.
 */
export function formatActivationScript(options: ActivationScriptOptions): string {
  const steps = sortSnippets(options.snippets).map((name) => {
    const snippet = options.snippets[name] as ActivationSnippet;
    // The status is read afterwards: inside `( … ) ||` bash would ignore errexit.
    const step = `( set -e\n${snippet.text.trimEnd()}\n)\nended $? ${quoteShell(name)}\n`;
    return snippet.supportsDryActivation
      ? `#### ${name}\n${step}`
      : `#### ${name}\nif [[ $FLOE_ACTION != dry-activate ]]; then\n${step}fi\n`;
  });
  return `#!${options.shell}/bin/bash
# Make this system the running one, as far as files are concerned. Safe to repeat, and to interrupt at any instant.
system=${SELF}
export PATH=${binPath(options.path)} FLOE_ACTION=\${FLOE_ACTION:-switch}
umask 0022
failed=()
ended() {
  [[ $1 == 0 ]] && return
  failed+=("$2")
  echo "activation script \\"$2\\" failed with status $1" >&2
}

${steps.join("\n")}
if [[ \${#failed[@]} != 0 ]]; then
  echo "activation failed: \${failed[*]}" >&2
  exit 2
fi
`;
}
