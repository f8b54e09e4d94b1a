/**
 * The known names that a misspelt one may mean, nearest first, at most `limit`.
 *
 * Near is a small edit distance (a swap of neighbours counts once), or one name being the beginning of the other.
 */
export function nearNames(name: string, known: Iterable<string>, limit = 3): string[] {
  const wanted = name.toLowerCase();
  const allowed = Math.max(1, Math.floor(name.length / 3));
  const scored: { name: string; score: number }[] = [];
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const begins = wanted.length >= 3 && other.startsWith(wanted);
    const score = begins ? allowed : editDistance(wanted, other, allowed);
    if (score <= allowed) scored.push({ name: candidate, score });
  }
  scored.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, limit).map((item) => item.name);
}

function editDistance(a: string, b: string, allowed: number): number {
  if (Math.abs(a.length - b.length) > allowed) return allowed + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] as number) + 1 : change;
      current.push(Math.min(change, swap, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] as number;
}

/** `Did you mean "…"?` with the nearest name, or nothing when none is near. */
export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const [nearest] = nearNames(name, known, 1);
  return nearest === undefined ? undefined : `Did you mean "${nearest}"?`;
}
