import { Type } from '@sinclair/typebox'
import { compareDecimals } from '@tickwire/protocol'
import { defineStrategy } from '../define-strategy.js'

export default defineStrategy({
  name: 'breakout',
  title: 'Breakout',
  description: 'Buys when a bar closes above the highest high of the bars before it, ' +
    'and sells all when one closes below their lowest low.',
  parameters: Type.Object({
    lookback: Type.Integer({ minimum: 2, maximum: 400, default: 20, description: 'bars to look back' })
  }),
  onStart: () => ({ bars: [] as Array<{ readonly high: string, readonly low: string }> }),
  onBar ({ close, high, low }, { state: { bars }, parameters: { lookback }, position, signal }) {
    if (bars.length === lookback) {
      const highest = bars.map(bar => bar.high).reduce((a, b) => compareDecimals(a, b) > 0 ? a : b)
      const lowest = bars.map(bar => bar.low).reduce((a, b) => compareDecimals(a, b) < 0 ? a : b)
      if (position === 0 && compareDecimals(close, highest) > 0) {
        signal('buy', { reason: `${close} is above ${highest}, the highest of ${lookback} bars` })
      } else if (position > 0 && compareDecimals(close, lowest) < 0) {
        signal('flat', { reason: `${close} is below ${lowest}, the lowest of ${lookback} bars` })
      }
      bars.shift()
    }
    bars.push({ high, low })
  }
})
