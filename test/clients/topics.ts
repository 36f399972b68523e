/** What the clients follow, and what is published to it. */
export const topics = ['trades:C1', 'trades:C2', 'quotes:C3', 'news'] as const
/** Topics with a state: a client that begins is given it. */
export const stateTopics: readonly string[] = ['quotes:C3']
export const query = 'subscribe=trades:C1,C2&subscribe=quotes:C3&subscribe=news'

/**
 * Characters that break readers which split text at more than CR and LF, characters of two to four bytes, and
 * characters that JSON escapes.
 */
const ODD_TEXT = '속보 “가나다” 😀 \\ / " \u0085 \u2028 \u2029 \t end'

/** What message `number` of a topic says. */
export function dataOf (topic: string, number: number): object {
  const timestamp = new Date(number * 1000).toISOString()
  const symbol = topic.split(':')[1]
  if (topic === 'news') return { headline: `${number} ${ODD_TEXT}`, source: 'clients', symbols: [], timestamp }
  if (topic.startsWith('quotes:')) return { symbol, bid: String(number), ask: `${number}.50` }
  return { symbol, price: String(number), size: '1.0', timestamp }
}
