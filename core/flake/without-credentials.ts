/** A reference, URL or message for people: passwords and tokens inside URLs are replaced by `***`. */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*):\/\/([^/@\s"']*)@/gi, (_whole, scheme: string, user: string) => {
    const loginOnly = /(^|\+)ssh$/i.test(scheme) && !user.includes(":");
    return loginOnly ? `${scheme}://${user}@` : `${scheme}://***@`;
  });
}
