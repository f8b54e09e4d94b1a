import { CodedError } from "../../base/index.ts";

/** What a client is told of a failure: message, details, hint. */
export function failureText(error: unknown): string {
  if (!(error instanceof CodedError)) return error instanceof Error ? error.message : String(error);
  return [error.message, ...(error.details ?? []), ...(error.hint === undefined ? [] : [`hint: ${error.hint}`])].join(
    "\n",
  );
}

/** The operation needs a part of the server that is not there. */
export function unsupported(what: string): CodedError {
  return new CodedError("store-server.unsupported", `Cannot ${what}: this server does not do it`);
}

/** Only trusted clients may. */
export function notTrusted(what: string): CodedError {
  return new CodedError("store-server.not-trusted", `Cannot ${what}: the server does not trust you`, {
    hint: 'Let the administrator name you under "trusted-users" of the server.',
  });
}

/** Whether nothing more can be understood of what a client sends. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof CodedError && (error.code === "wire.ended" || error.code === "wire.malformed");
}
