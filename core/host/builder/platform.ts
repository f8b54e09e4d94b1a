import { accessSync, constants } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { attributesOf, declaredMemory } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import { findUserRangeLack } from "./user-range.ts";

/** What this machine can run. */
export interface Platform {
  /** Names of systems, `x86_64-linux`. */
  readonly systems: readonly string[];
  /** Names for `requiredSystemFeatures`. */
  readonly features: readonly string[];
}

/** The feature of builders that are root of 65,536 users of their own. */
const UID_RANGE = "uid-range";

/** Whether the builder of a derivation is to be root inside, with many users. */
export function wantsUserRange(drv: Derivation): boolean {
  return requiredFeatures(drv).includes(UID_RANGE);
}

/** Look at this machine. `kvm` counts when its device can be opened; whether guests run well in it is another question. */
export function findPlatform(): Platform {
  const own = process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux";
  const features = ["benchmark", "big-parallel", "nixos-test"];
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    features.push("kvm");
  } catch {
    // No virtualisation, or not for this user.
  }
  if (findUserRangeLack() === undefined) features.push(UID_RANGE);
  return { systems: own === "x86_64-linux" ? [own, "i686-linux"] : [own], features };
}

/** Features a derivation asks for. @throws {CodedError} `build.attributes-malformed` */
export function requiredFeatures(drv: Derivation): string[] {
  const attributes = attributesOf(drv);
  if (attributes === undefined)
    return (drv.env["requiredSystemFeatures"] ?? "").split(/\s+/).filter((word) => word !== "");
  const stated = attributes["requiredSystemFeatures"];
  return Array.isArray(stated) ? stated.map(String) : [];
}

/** @throws {CodedError} `build.wrong-system`, `build.missing-feature`, `build.bad-memory`, `build.attributes-malformed` */
export function checkPlatform(drv: Derivation, platform: Platform): void {
  // How much it is matters to who starts builds; here, that it can be read.
  declaredMemory(drv);
  if (!drv.builder.startsWith("builtin:") && !platform.systems.includes(drv.system)) {
    throw new CodedError(
      "build.wrong-system",
      `Cannot build "${drv.name}": it needs a "${drv.system}", this machine is a "${platform.systems[0]}"`,
      { exitCode: 100, hint: "Ask for the package of this machine: `floe flake show` lists them by platform." },
    );
  }
  const missing = requiredFeatures(drv).filter((feature) => !platform.features.includes(feature));
  if (missing.length > 0) {
    throw new CodedError(
      "build.missing-feature",
      `Cannot build "${drv.name}": it needs ${missing.join(", ")}, this machine has ${platform.features.join(", ")}`,
      {
        exitCode: 100,
        hint: missing.includes("kvm")
          ? "The device /dev/kvm is missing, or this user may not open it."
          : missing.includes(UID_RANGE)
            ? hintOfRange()
            : missing.includes("recursive-nix")
              ? "No builder can ask the store here. It can write derivations, whose outputs others use by outputOf()."
              : "Build it on a machine that has them, or take them out of requiredSystemFeatures.",
      },
    );
  }
}

function hintOfRange(): string {
  const lack = findUserRangeLack();
  return lack === undefined
    ? "Ask a machine that can give a builder 65,536 users."
    : `A builder cannot be given 65,536 users: ${lack.found}. ${lack.hint}`;
}
