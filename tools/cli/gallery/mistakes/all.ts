import type { Section } from "../mistake.ts";
import { building } from "./building.ts";
import { commands } from "./commands.ts";
import { inputs } from "./inputs.ts";
import { language } from "./language.ts";
import { options } from "./options.ts";
import { outputs } from "./outputs.ts";
import { packages } from "./packages.ts";
import { stories } from "./stories.ts";

export const sections: readonly Section[] = [language, options, outputs, packages, inputs, building, stories, commands];
