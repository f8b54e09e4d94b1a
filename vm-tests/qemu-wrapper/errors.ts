/** What a {@link QemuError} may carry besides its code and message. */
export interface QemuErrorOptions {
  /** A full sentence that says what would help. */
  readonly hint?: string;
  /** Further lines for people, such as the last words of QEMU. */
  readonly details?: readonly string[];
  readonly cause?: unknown;
}

/**
 * The one error type of this package.
 *
 * Shape: `code` is `qemu.<problem>` or `qmp.<problem>` and stable; `message` is `Cannot <verb> <object>: <found, expected>`.
 */
export class QemuError extends Error {
  override readonly name = "QemuError";
  readonly code: string;
  readonly hint?: string;
  readonly details?: readonly string[];

  constructor(code: string, message: string, options: QemuErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.details !== undefined) this.details = options.details;
  }
}
