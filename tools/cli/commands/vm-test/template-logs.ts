import { CodedError } from "../../../../core/base/index.ts";
import type { BuildEvent } from "../../../../core/build/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import { type RunResultEvent, WireReader } from "../../../../vm-tests/driver/index.ts";

/** Keeps what builds of templates say until they have ended well: of one that did not, it is the record of the fault that ended it. */
export class TemplateLogs {
  readonly #lines: Map<StorePath, string[]>;

  /** @param drvPaths The builds of templates; what others say is not kept. */
  constructor(drvPaths: Iterable<StorePath>) {
    this.#lines = new Map([...drvPaths].map((drvPath) => [drvPath, []]));
  }

  take(event: BuildEvent): void {
    if (event.kind === "log-line") this.#lines.get(event.drvPath)?.push(event.line);
    if (event.kind === "built") this.#lines.delete(event.drvPath);
  }

  /** The lines of a build that failed; empty when it is none of a template. */
  linesOf(drvPath: StorePath): readonly string[] {
    return this.#lines.get(drvPath) ?? [];
  }

  /** Why a template could not be made, as the driver in the build said. */
  failureOf(drvPath: StorePath): CodedError | undefined {
    const reader = new WireReader();
    for (const line of this.linesOf(drvPath)) {
      const wire = reader.read(line);
      const event = wire === "more" ? undefined : (wire?.entry as { readonly kind?: string } | undefined);
      if (event?.kind === "result") return errorOf(event as RunResultEvent);
    }
    return undefined;
  }
}

/** The failure that a run told, as the error it was; `undefined` of a run that went well. */
export function errorOf({ error, failure }: RunResultEvent): CodedError | undefined {
  if (error === undefined || failure === undefined) return undefined;
  const { code, hint, at, details } = failure;
  return new CodedError(code, error, { hint, at, details });
}
