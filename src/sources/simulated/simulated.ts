import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import type { Source, SourceContext } from '../source.js'
import { listings } from './instruments.js'
import { Walk } from './market.js'
import { Random } from './random.js'

/** Each instrument is quoted once in this time. */
const ROUND_MS = 400

/** Random walks of a few instruments: something to look at without a venue. */
export class Simulated implements Source {
  readonly name = 'simulated'
  readonly manual = false

  constructor (private readonly seed: number = 1) {}

  async instruments (): Promise<readonly Instrument[]> {
    return listings.map(({ symbol, market, sector, name }) => ({
      symbol,
      ...(market === undefined ? {} : { market }),
      ...(sector === undefined ? {} : { sector }),
      ...(name === undefined ? {} : { name })
    }))
  }

  async run ({ publish, signal }: SourceContext): Promise<void> {
    const walks = listings.map((listing, index) => new Walk(listing, new Random(this.seed * 1000 + index)))
    for (let turn = 0; !signal.aborted; turn++) {
      // One instrument after another, so that messages come evenly instead of in bursts.
      await publish(walks[turn % walks.length]!.step(Date.now()))
      await delay(ROUND_MS / walks.length, undefined, { signal }).catch(() => {})
    }
  }
}
