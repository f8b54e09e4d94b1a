import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Who asks a storage service. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface AwsSettings {
  /** Absent for whoever may only see what everybody sees. */
  readonly credentials?: AwsCredentials | undefined;
  readonly region?: string | undefined;
}

export interface AwsSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Section of the files; default `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
}

/**
 * Credentials and region as the tools of AWS find them: in the environment, then in `~/.aws/credentials` and `~/.aws/config`. A
 * profile that is named counts before the environment. Roles, single sign-on and the services of machines in the cloud are not asked.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 */
export function readAwsSettings({ environment, home, profile }: AwsSettingsPlaces): AwsSettings {
  const section = profile ?? environment["AWS_PROFILE"] ?? "default";
  const secrets = readIni(environment["AWS_SHARED_CREDENTIALS_FILE"] ?? join(home, ".aws/credentials"));
  const config = readIni(environment["AWS_CONFIG_FILE"] ?? join(home, ".aws/config"));
  const fields = new Map([
    ...(config.get(section === "default" ? section : `profile ${section}`) ?? []),
    ...(secrets.get(section) ?? []),
  ]);
  const said = credentialsOf({
    accessKeyId: environment["AWS_ACCESS_KEY_ID"],
    secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"],
    sessionToken: environment["AWS_SESSION_TOKEN"],
  });
  const filed = credentialsOf({
    accessKeyId: fields.get("aws_access_key_id"),
    secretAccessKey: fields.get("aws_secret_access_key"),
    sessionToken: fields.get("aws_session_token"),
  });
  return {
    credentials: profile === undefined ? (said ?? filed) : filed,
    region: environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? fields.get("region"),
  };
}

function credentialsOf(
  found: { readonly [Key in keyof AwsCredentials]: string | undefined },
): AwsCredentials | undefined {
  const { accessKeyId, secretAccessKey, sessionToken } = found;
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** Sections of an INI file with their fields. A file that is not there has none. */
function readIni(file: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return sections;
  }
  let fields: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const [, section] = /^\s*\[\s*(.*?)\s*\]/.exec(line) ?? [];
    if (section !== undefined) {
      fields = sections.get(section) ?? new Map<string, string>();
      sections.set(section, fields);
      continue;
    }
    const [, key, value] = /^\s*([^#;=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) fields?.set(key, value);
  }
  return sections;
}
