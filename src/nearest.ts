/** The most similar of some names, where one is similar at all. */
export function nearest (text: string, names: readonly string[], farthest = Math.max(2, text.length / 3)): string | undefined {
  const [best] = names.map(name => ({ name, distance: editDistance(text, name) })).sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= farthest ? best.name : undefined
}

/** What a refusal of a name says behind it: the one that may have been meant, and those that there are. */
export function insteadOf (text: string, names: readonly string[]): string {
  const similar = nearest(text, names)
  return `${similar === undefined ? '' : `; did you mean '${similar}'?`}${similar === undefined ? '; there are: ' : ' There are: '}${names.join(', ')}`
}

/** Letters left out, put in, changed or swapped with the next one. */
function editDistance (a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Infinity
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), swapped))
    }
    [before, row] = [row, next]
  }
  return row[b.length]!
}
