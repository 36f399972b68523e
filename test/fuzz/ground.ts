import { setTimeout as delay } from 'node:timers/promises'
import type { Coverage } from './coverage.js'
import type { World } from './input/world.js'
import { shown } from './oracle.js'

/** Where the inputs come from, so that the limits of an address do not concern the neighbours. */
export const FUZZ_ADDRESS = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'

const SHOWN = 40
/** How far ahead of its rate a burst may be. */
const PACE_STEP_MS = 5

/** What all workers share. */
export class Ground {
  readonly faults: string[] = []
  faultCount = 0
  over = false
  private issued = 0
  private readonly began = performance.now()

  /** @param rate most inputs a second */
  constructor (readonly port: number, readonly world: World, readonly coverage: Coverage, private readonly rate: number) {}

  fault (what: string, input = ''): void {
    this.faultCount++
    if (this.faults.length < SHOWN) this.faults.push(input === '' ? what : `${what} — after ${shown(JSON.stringify(input))}`)
  }

  /** Resolves when some more may be sent. */
  async pace (inputs: number): Promise<void> {
    this.issued += inputs
    while (!this.over && this.issued > (performance.now() - this.began) * this.rate / 1000) await delay(PACE_STEP_MS)
  }
}
