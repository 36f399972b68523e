import type { Coordination } from '../../coordination/coordination.js'
import type { Lazy, Source, SourceContext } from '../../sources/source.js'
import { untilAborted } from '../shard-inputs.js'
import { HeatQueries, type HeatQueriesOptions } from './heat-queries.js'
import { HeatmapRun, type HeatmapRunOptions, kindOfChannel } from './heatmap-run.js'
import { Wanted } from './wanted.js'

/** How long the source waits for a subscriber before it ends. */
const LINGER_MS = 10_000

export interface HeatmapOptions extends HeatmapRunOptions, HeatQueriesOptions {
  readonly coordination: Pick<Coordination, 'ask' | 'answer'>
}

/**
 * Heatmaps of what somebody subscribes to. Each interval it queries one after another, and publishes those
 * that have changed. It is a lazy source, so one server queries for all, and none without subscribers.
 */
export class HeatmapSource implements Source {
  readonly name = 'processor:heatmap'
  readonly manual = false
  readonly lazy: Lazy
  private readonly wanted: Wanted

  constructor (private readonly options: HeatmapOptions) {
    const wanted = this.wanted = new Wanted(options.coordination)
    this.lazy = {
      channels: Object.keys(kindOfChannel),
      lingerMs: LINGER_MS,
      servesAll: true,
      attach: local => { wanted.attach(local) }
    }
  }

  async instruments (): Promise<readonly []> {
    return []
  }

  async run (context: SourceContext): Promise<void> {
    const { signal, logger } = context
    const queries = new HeatQueries(this.options, logger)
    const interrupt = (): void => { queries.interrupt() }
    signal.addEventListener('abort', interrupt)
    try {
      await untilAborted(signal, async () => {
        const run = await HeatmapRun.begin(this.options, queries, context)
        try {
          await run.loop(this.wanted)
        } finally {
          run.end()
        }
      })
    } finally {
      signal.removeEventListener('abort', interrupt)
      queries.close()
    }
  }
}
