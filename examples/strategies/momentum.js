// A strategy of your own: STRATEGIES=examples/strategies npm start
// docs/strategies.md explains it.
import { defineStrategy, Type } from '@tickwire/server/strategies'

export default defineStrategy({
  name: 'momentum',
  title: 'Momentum',
  description: 'Buys after a rise over some bars, and sells after a fall.',
  parameters: Type.Object({
    bars: Type.Integer({ minimum: 1, maximum: 100, default: 5 }),
    percent: Type.Number({ minimum: 0.01, maximum: 50, default: 0.2 })
  }),
  onStart: () => ({ closes: [] }),
  onBar (bar, { state: { closes }, parameters: { bars, percent }, position, signal }) {
    closes.push(Number(bar.close))
    if (closes.length <= bars) return
    const change = (closes.at(-1) / closes.shift() - 1) * 100
    const reason = `${change.toFixed(2)} % in ${bars} bars`
    if (change >= percent && position === 0) signal('buy', { reason })
    if (change <= -percent && position > 0) signal('flat', { reason })
  }
})
