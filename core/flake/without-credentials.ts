/** Names of parameters whose values let somebody in. */
const SECRETS = /([?&](?:[\w-]*token|[\w-]*signature|sig|password|api[_-]?key)=)[^&#\s"']*/gi;

/** A reference, URL or message for people: passwords and tokens inside URLs are replaced by `***`. */
export function withoutCredentials(text: string): string {
  const bare = text.replace(/([a-z][a-z0-9+.-]*):\/\/([^/@\s"']*)@/gi, (_whole, scheme: string, user: string) => {
    const loginOnly = /(^|\+)ssh$/i.test(scheme) && !user.includes(":");
    return loginOnly ? `${scheme}://${user}@` : `${scheme}://***@`;
  });
  return bare.replace(SECRETS, "$1***");
}
