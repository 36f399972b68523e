import { strategies } from '@tickwire/protocol'
import { untilAborted } from '../processors/shard-inputs.js'
import type { Lazy, Source, SourceContext } from '../sources/source.js'
import { StrategyRun, type StrategyRunOptions } from './strategy-run.js'

/** How long it goes on when no strategy runs any more, in milliseconds. */
const LINGER_MS = 10_000

/**
 * Runs the strategies of all users. As every source it has a lease, so that it runs on one server, and
 * another one takes it over. It runs only while there are strategies that run or are paused.
 */
export class StrategiesSource implements Source {
  readonly name = 'processor:strategies'
  readonly manual = false
  readonly lazy: Lazy = { channels: [strategies.name], lingerMs: LINGER_MS }

  constructor (private readonly options: StrategyRunOptions) {}

  async instruments (): Promise<readonly []> {
    return []
  }

  async run (context: SourceContext): Promise<void> {
    await untilAborted(context.signal, async () => {
      const run = await StrategyRun.begin(this.options, context)
      try {
        await run.loop()
      } finally {
        await run.end()
      }
    })
  }
}
