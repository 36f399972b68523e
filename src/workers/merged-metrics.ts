/** A comment about a metric: its help, or its type. */
const ABOUT = /^# (?:HELP|TYPE) (\S+)/

/**
 * Joins texts in Prometheus' format into one. A metric that several texts have is described once, as the
 * format demands; its series must differ in a label.
 */
export function mergeMetrics (texts: readonly string[]): string {
  const metrics = new Map<string, { readonly about: string[], readonly series: string[] }>()
  for (const text of texts) {
    const seen = new Set<string>()
    let current: { readonly about: string[], readonly series: string[] } | undefined
    let isFirst = true
    for (const line of text.split('\n')) {
      if (line === '') continue
      const name = ABOUT.exec(line)?.[1]
      if (name === undefined) {
        current?.series.push(line)
        continue
      }
      if (!seen.has(name)) {
        seen.add(name)
        isFirst = !metrics.has(name)
        if (isFirst) metrics.set(name, { about: [], series: [] })
        current = metrics.get(name)
      }
      if (isFirst) current!.about.push(line)
    }
  }
  return [...metrics.values()].flatMap(({ about, series }) => [...about, ...series, '']).join('\n')
}
