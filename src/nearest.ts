/**
 * Returns the name that is most similar to a text; undefined if none differs in `farthest` letters or fewer.
 */
export function nearest (
  text: string, names: readonly string[], farthest = Math.max(2, text.length / 3)
): string | undefined {
  const [best] = names.map(name => ({ name, distance: editDistance(text, name) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= farthest ? best.name : undefined
}

/**
 * Ends the refusal of a name: with the name that was probably meant, if one is similar, and with all names.
 */
export function insteadOf (text: string, names: readonly string[]): string {
  const similar = nearest(text, names)
  const all = names.join(', ')
  return similar === undefined ? `; there are: ${all}` : `; did you mean '${similar}'? There are: ${all}`
}

/** Counts the letters to leave out, put in, change, or swap with the next one. */
function editDistance (a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? before[j - 2]! + 1 : Infinity
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, changed, swapped))
    }
    [before, row] = [row, next]
  }
  return row[b.length]!
}
