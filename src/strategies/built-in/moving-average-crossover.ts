import { Type } from '@sinclair/typebox'
import { defineStrategy } from '../define-strategy.js'

/**
 * Averages are sums of JavaScript numbers over the closes of the window, added anew for each bar: they are
 * exact to about 15 digits, and an error never grows.
 */
export default defineStrategy({
  name: 'moving_average_crossover',
  title: 'Moving average crossover',
  description: 'Buys when the average of the last closes rises above a slower average, ' +
    'and sells all when it falls below it.',
  parameters: Type.Object({
    fast: Type.Integer({
      minimum: 1, maximum: 200, default: 10, description: 'bars in the fast average; fewer than in the slow'
    }),
    slow: Type.Integer({ minimum: 2, maximum: 400, default: 30, description: 'bars in the slow average' })
  }),
  onStart ({ parameters: { fast, slow } }) {
    if (fast >= slow) throw new RangeError(`fast (${fast}) must be below slow (${slow})`)
    return { closes: [] as number[], isAbove: undefined as boolean | undefined }
  },
  onBar ({ close }, { state, parameters: { fast, slow }, position, signal }) {
    state.closes.push(Number(close))
    if (state.closes.length > slow) state.closes.shift()
    if (state.closes.length < slow) return
    const [fastAverage, slowAverage] = [average(state.closes.slice(-fast)), average(state.closes)]
    // Averages that are equal have not crossed.
    if (fastAverage === slowAverage) return
    const wasAbove = state.isAbove
    const isAbove = state.isAbove = fastAverage > slowAverage
    if (wasAbove === undefined || wasAbove === isAbove) return
    const side = isAbove ? 'above' : 'below'
    const reason = `the average of ${fast} bars is ${side} that of ${slow}`
    if (isAbove && position === 0) signal('buy', { reason })
    if (!isAbove && position > 0) signal('flat', { reason })
  }
})

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
