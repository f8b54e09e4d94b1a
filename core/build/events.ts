import type { CodedError } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import type { PlanJob } from "./jobs.ts";
import type { BuildPlan } from "./plan.ts";

/** Something that happened during a build run, in order; programs print it with `--json`, people see it rendered. */
export type BuildEvent =
  /** The first event: what will be done and why. It comes again when transfers failed and there is another way. */
  | { readonly kind: "plan"; readonly plan: BuildPlan }
  /** A build wrote a derivation that something waits for: what is to be done besides. */
  | {
      readonly kind: "found";
      /** The derivation that was written. */
      readonly drvPath: StorePath;
      /** Whose output it is. */
      readonly from: StorePath;
      /** Jobs that were not planned before. */
      readonly jobs: readonly PlanJob[];
    }
  /** Something people should know that concerns no single job: another store does not answer. */
  | { readonly kind: "warning"; readonly message: string }
  /** An object is taken from another store. */
  | {
      readonly kind: "transfer-started";
      readonly path: StorePath;
      /** Address of the store. */
      readonly from: string;
    }
  /** Bytes of the object's NAR that have come. */
  | {
      readonly kind: "transfer-progress";
      readonly path: StorePath;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  /** An object of another store is valid here now. */
  | {
      readonly kind: "substituted";
      readonly path: StorePath;
      readonly from: string;
      readonly elapsedMs: number;
      /** NAR size. */
      readonly sizeBytes: number;
    }
  /** No store gave the object as it was described. Unless it is a failure of its own, another way is looked for. */
  | { readonly kind: "transfer-failed"; readonly path: StorePath; readonly error: CodedError }
  | {
      readonly kind: "started";
      readonly drvPath: StorePath;
      readonly job: "build" | "fetch";
      readonly why: string;
      readonly cores: number;
    }
  /** The builder says which phase it has reached. */
  | { readonly kind: "phase"; readonly drvPath: StorePath; readonly phase: string }
  /** One line of the builder's output, without its line end. */
  | { readonly kind: "log-line"; readonly drvPath: StorePath; readonly line: string }
  /** Bytes of a download; `totalBytes` is absent when the server does not say. */
  | {
      readonly kind: "progress";
      readonly drvPath: StorePath;
      readonly url: string;
      readonly doneBytes: number;
      readonly totalBytes: number | undefined;
    }
  /** Something people should know, which is no failure: a mirror that did not answer, a download begun again. */
  | { readonly kind: "notice"; readonly drvPath: StorePath; readonly message: string }
  | {
      readonly kind: "built";
      readonly drvPath: StorePath;
      readonly outputs: readonly StorePath[];
      readonly elapsedMs: number;
      /** Sum of the NAR sizes of the outputs. */
      readonly sizeBytes: number;
    }
  /** Another process made the outputs while this one waited. */
  | { readonly kind: "already-valid"; readonly drvPath: StorePath }
  /** It was built before with the very inputs that its own turned out to be. */
  | { readonly kind: "unchanged"; readonly drvPath: StorePath }
  | {
      readonly kind: "failed";
      readonly drvPath: StorePath;
      readonly error: CodedError;
      readonly elapsedMs: number;
      /** The last lines of the log; empty when the builder wrote nothing. */
      readonly logTail: readonly string[];
    }
  /** Not started, because something it needs failed. */
  | { readonly kind: "dependency-failed"; readonly drvPath: StorePath; readonly because: StorePath }
  | { readonly kind: "cancelled"; readonly drvPath: StorePath };
