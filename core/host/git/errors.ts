import { CodedError } from "../../base/index.ts";
import { withoutCredentials } from "../../flake/index.ts";

/** The repository did not answer, or not as one. */
export function unreachable(url: string, cause: unknown): CodedError {
  const shown = withoutCredentials(url);
  const { message, code, statusCode } = describe(cause);
  if (statusCode === 404 || /not found|does not appear to be a git repository|does not exist/i.test(message)) {
    return new CodedError("git.no-repository", `Cannot find a git repository at "${shown}": ${message}`, {
      hint: "Check the address; a private repository answers like this, too.",
    });
  }
  if (statusCode === 401 || statusCode === 403) {
    return new CodedError(
      "git.unreachable",
      `Cannot read the git repository "${shown}": the server refuses access (HTTP ${statusCode})`,
      {
        hint: "Use git+ssh:// with your key for private repositories.",
      },
    );
  }
  return new CodedError(
    "git.unreachable",
    `Cannot reach the git repository "${shown}": ${withoutCredentials(message)}`,
    {
      hint:
        code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "Check the name of the server and the network."
          : "Sources that are locked and in the store need no network.",
    },
  );
}

export function revisionMissing(url: string, rev: string, cause?: unknown): CodedError {
  return new CodedError(
    "git.rev-missing",
    `Cannot get the revision ${rev} of "${withoutCredentials(url)}": ${cause === undefined ? "the repository does not have it" : withoutCredentials(describe(cause).message)}`,
    {
      hint: "It may have been removed by a forced push. Move the input with: floe flake update",
    },
  );
}

function describe(cause: unknown): { message: string; code?: string; statusCode?: number } {
  const { message, code, data, errors } = (cause ?? {}) as {
    message?: string;
    code?: string;
    data?: { statusCode?: number };
    errors?: readonly { message: string }[];
  };
  // A failed connection to a name with several addresses has its reasons in a list.
  const text = message || errors?.[0]?.message || String(cause);
  return {
    message: text,
    ...(code === undefined ? {} : { code }),
    ...(data?.statusCode === undefined ? {} : { statusCode: data.statusCode }),
  };
}
