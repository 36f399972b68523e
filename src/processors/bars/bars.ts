import {
  type Bar, BAR_INTERVALS, type BarInterval, barsChannel, type Trade, trades
} from '@tickwire/protocol'
import type { ViewProcessor } from '../processor.js'
import { type Ignored, TopicBars } from './topic-bars.js'

/** Reads the setting `BARS`, which its schema has checked. */
export function barsOf (setting: string): BarInterval[] {
  const named = setting.split(',')
  return (Object.keys(BAR_INTERVALS) as BarInterval[]).filter(interval => named.includes(interval))
}

/**
 * Makes the processor of bars: of each topic of trades, the bars of the intervals (PROTOCOL.md, Bars).
 * @param onIgnored called for each trade that is in no bar; not for those from before a takeover
 */
export function barsProcessor (
  intervals: readonly BarInterval[], onIgnored: (why: Ignored) => void = () => {}
): ViewProcessor<TopicBars> {
  const outputs = intervals.map(barsChannel)
  return {
    name: 'bars',
    inputs: [trades.name],
    outputs,
    outputsOf: ({ symbol }) => outputs.map(channel => ({ channel, symbol })),
    initial: ({ symbol }, first, budget) => new TopicBars(symbol!, intervals, first, budget, onIgnored),
    hear (bars, { topic, data, stands, missed }) {
      const bar = data as Bar
      // Somebody else may publish a bar of one interval in the topic of another.
      if (topic.channel === barsChannel(bar.interval)) bars.hear(bar, stands, missed)
    },
    apply (bars, { data, sequence, timestamp }) { bars.apply({ data: data as Trade, sequence, timestamp }) },
    unsaid (bars, { data }) { bars.unsaid(data as Bar) },
    due (bars, now) {
      const { bars: messages, next } = bars.due(now)
      return {
        outputs: messages.map(data => ({ channel: barsChannel(data.interval), symbol: data.symbol, data })),
        next
      }
    }
  }
}
