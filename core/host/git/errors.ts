import { CodedError } from "../../base/index.ts";
import { withoutCredentials } from "../../flake/index.ts";

export const LOGIN_HINT =
  "Say who you are: an entry in ~/.netrc, accessTokens in ~/.config/floe/settings.json, or git's credential helper.";
export const CERTIFICATE_HINT =
  "Nobody this machine trusts vouches for the server; NIX_SSL_CERT_FILE or sslCertFile in the settings names a file of certificates to trust.";

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
        hint: `${LOGIN_HINT} Or use git+ssh:// with your key.`,
      },
    );
  }
  const ssh = [/Host key verification failed/, /Permission denied \(/].findIndex((words) => words.test(message));
  if (ssh >= 0) {
    return new CodedError("git.unreachable", `Cannot read the git repository "${shown}": ${message}`, {
      hint:
        ssh === 0
          ? `Compare the key of the server with what its owner publishes, and accept it once: ssh ${hostOf(url)}`
          : `The server does not know your key; \`ssh-add -l\` lists those that are offered, and this tries them: ssh ${hostOf(url)}`,
    });
  }
  return new CodedError(
    "git.unreachable",
    `Cannot reach the git repository "${shown}": ${withoutCredentials(message)}`,
    {
      hint:
        code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "Check the name of the server and the network."
          : /certificate/i.test(message)
            ? CERTIFICATE_HINT
            : "Sources that are locked and in the store need no network.",
    },
  );
}

/** The repository is there, and says nothing. */
export function silentServer(url: string, silentMs: number): CodedError {
  return unreachable(url, new Error(`it sent nothing for ${silentMs / 1000} seconds`));
}

/** The repository sends more than it may. */
export function tooLarge(url: string, limitBytes: number): CodedError {
  return new CodedError(
    "git.too-large",
    `Cannot read the git repository "${withoutCredentials(url)}": it sends more than ${limitBytes} bytes`,
    { hint: 'The setting "maxDownload" says how much one download may have.' },
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

function hostOf(url: string): string {
  const { username, hostname, port } = new URL(url);
  return `${port === "" ? "" : `-p ${port} `}${username === "" ? "" : `${username}@`}${hostname}`;
}

function describe(cause: unknown): { message: string; code?: string; statusCode?: number } {
  // What fetch() raises has the reason inside.
  const inner = cause instanceof TypeError && cause.cause instanceof Error ? cause.cause : cause;
  const { message, code, data, errors } = (inner ?? {}) as {
    message?: string;
    code?: string;
    data?: { statusCode?: number };
    errors?: readonly { message: string }[];
  };
  // A failed connection to a name with several addresses has its reasons in a list.
  const text = (message || errors?.[0]?.message || String(inner)).replace(/; if the root CA .*$/, "");
  return {
    message: text,
    ...(code === undefined ? {} : { code }),
    ...(data?.statusCode === undefined ? {} : { statusCode: data.statusCode }),
  };
}
