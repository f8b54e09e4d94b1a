import { test } from "uvu";
import * as assert from "uvu/assert";
import { spellOutOptions } from "./spell-out-options.ts";

/** As TypeScript 7.0.2 writes the declaration of `declare("a", { … })`. */
const OPTIONS = `export declare const options: import("#floe/module").Declaration<{
    /** The port; not { a name }. */ readonly port: import("#floe/module").Option<number, number>;
    readonly "a-b": import("#floe/module").RequiredOption<string, string | import("#floe/module").Stringable>;
    readonly log: {
        /** How much. */ readonly level: import("#floe/module").Option<"a;b" | "c>", "a;b" | "c>">;
    };
    readonly change: import("#floe/module").Option<(a: string) => string, (a: string) => string>;
}>;
`;

test("spellOutOptions() makes members of an interface out of the options it extends", () => {
  const text = `${OPTIONS}export interface ADefs extends Write<typeof options> {
}
export interface A extends Read<typeof options> {
}
`;
  assert.is(
    spellOutOptions(text),
    `${OPTIONS}export interface ADefs {
/** The port; not { a name }. */
port?: (number) | undefined;
"a-b": (string | import("#floe/module").Stringable);
log?: {
/** How much. */
level?: ("a;b" | "c>") | undefined;
} | undefined;
change?: ((a: string) => string) | undefined;
}
export interface A {
/** The port; not { a name }. */
readonly port: number;
readonly "a-b": string;
readonly log: {
/** How much. */
readonly level: "a;b" | "c>";
};
readonly change: (a: string) => string;
}
`,
  );
});

test("spellOutOptions() spells out groups inside types, and groups inside those", () => {
  const inner = 'import("../module/option-type.ts").WriteGroup<{ readonly b: Option<string>; }>';
  assert.is(
    spellOutOptions(
      `declare const a: Option<X, { readonly [name: string]: WriteGroup<{ readonly c: Option<Y, ${inner}>; }> }>;`,
    ),
    "declare const a: Option<X, { readonly [name: string]: {\nc?: ({\nb?: (string) | undefined;\n}) | undefined;\n} }>;",
  );
});

test("spellOutOptions() leaves what it does not understand", () => {
  for (const text of [
    "export interface ADefs extends Write<typeof elsewhere> {\n}\n",
    "declare const a: WriteGroup<{ readonly [name: string]: Option<string> }>;",
    "declare const a: WriteGroup<{ readonly b?: Option<string>; }>;",
    "declare const a: WriteGroup<{ readonly b: Option<string>; } & More>;",
    "declare const a: WriteGroup<{ readonly b: Opt",
    "type WriteGroup<Group> = Group;",
  ])
    assert.is(spellOutOptions(text), text);
  assert.is(
    spellOutOptions("declare const a: WriteGroup<{ readonly b: typeof c; }>;"),
    'declare const a: {\nb?: import("#floe/module").WriteGroup<{ readonly b: typeof c }>["b"] | undefined;\n};',
  );
});

test.run();
