import { setTimeout as delay } from 'node:timers/promises'
import type { Coverage } from './coverage.js'
import type { World } from './input/world.js'
import { shown } from './oracle.js'

/** Where the inputs come from, so that the limits of an address do not concern the neighbours. */
export const FUZZ_ADDRESS = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'

const SHOWN = 40
/** How far ahead of its rate a burst may be. */
const PACE_STEP_MS = 5

export type Way = 'socket' | 'request'

/** What all workers share. */
export class Ground {
  readonly faults: string[] = []
  faultCount = 0
  over = false
  private readonly issued = { socket: 0, request: 0 }
  private readonly began = performance.now()

  /**
   * @param rates the most inputs a second of each way, so that their mix is the same from the beginning to
   *   the end
   */
  constructor (
    readonly port: number,
    readonly world: World,
    readonly coverage: Coverage,
    private readonly rates: Readonly<Record<Way, number>>
  ) {}

  fault (what: string, input = ''): void {
    this.faultCount++
    if (this.faults.length < SHOWN) this.faults.push(input === '' ? what : `${what} — after ${shown(JSON.stringify(input))}`)
  }

  /** Resolves when some more may be sent. */
  async pace (way: Way, inputs: number): Promise<void> {
    this.issued[way] += inputs
    const isAhead = (): boolean => (
      this.issued[way] > (performance.now() - this.began) * this.rates[way] / 1000
    )
    while (!this.over && isAhead()) await delay(PACE_STEP_MS)
  }
}
