import type { NoAnswer, RawAnswer } from '../helpers/raw-http.js'
import type { Coverage } from './coverage.js'

/** Notes what of a query was reached: its parameters, and the options of its subscriptions. */
export function countQuery (
  coverage: Coverage,
  kind: string,
  query: string,
  passed: boolean,
  accepted: boolean
): void {
  for (const pair of query.split('&')) {
    const [name = '', value = ''] = pair.split('=', 2)
    coverage.count(`query of ${kind}`, name, passed, accepted)
    if (name !== 'subscribe') continue
    const [selector = '', ...options] = pair.slice(name.length + 1).split(';')
    for (const option of options) coverage.count(`query of ${kind}`, `;${option.split('=', 1)[0]}`, passed, accepted)
    if (value !== '') coverage.count('channel subscribed', selector.split(':', 1)[0]!, passed, accepted)
  }
}

interface Published {
  readonly rejected: ReadonlyArray<{ readonly index: number, readonly code: string }>
  readonly sequences: readonly unknown[]
}

/** The items of a body as its sender meant them; none where it is no JSON. */
function itemsOf (text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : [value]
  } catch {
    try {
      return text.split('\n').filter(line => line.trim() !== '').map(line => JSON.parse(line) as unknown)
    } catch {
      return []
    }
  }
}

/** Notes what of a body was reached: its fields and channels, and how each of its messages was answered. */
export function countBody (coverage: Coverage, kind: 'publish' | 'disconnect', text: string, answer: RawAnswer | NoAnswer, passed: boolean): void {
  const ok = typeof answer !== 'string' && answer.status < 300
  const result = ok && kind === 'publish' ? JSON.parse(answer.body.toString()) as Published : undefined
  for (const { code } of result?.rejected ?? []) coverage.code(code)
  const refused = new Set(result?.rejected.map(({ index }) => index))
  for (const [index, item] of itemsOf(text).entries()) {
    if (typeof item !== 'object' || item === null) continue
    const accepted = ok && !refused.has(index)
    for (const name of Object.keys(item)) coverage.count(`body of ${kind}`, name, passed, accepted)
    if (kind === 'publish' && 'channel' in item && typeof item.channel === 'string') coverage.count('channel published', item.channel, passed, accepted)
  }
}
