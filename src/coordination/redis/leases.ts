import { type Hold, type Lease, type Leases, SWITCH_KEPT_SECONDS } from '../leases.js'
import type { Masters } from '../../log/redis/masters/masters.js'
import { attempt } from './attempt.js'
import { scriptCommand } from './commands.js'
import type { CoordinationKeys } from './keys.js'

type Step = 'hold' | 'look' | 'release' | 'end' | 'on' | 'off' | 'forget'
type Answer = [holder: string, note: string, switched: '' | 'on' | 'off']

/** Leases of all nodes of one Redis. Its clock decides when a lease expires. */
export class RedisLeases implements Leases {
  private readonly command: (key: string, ...args: Array<string | number>) => Promise<Answer>

  constructor (masters: Masters, private readonly keys: CoordinationKeys) {
    this.command = scriptCommand(masters, 'lease', 2)
  }

  async hold (name: string, hold: Hold): Promise<Lease> {
    return await this.step('hold', name, hold)
  }

  async look (name: string): Promise<Lease> {
    return await this.step('look', name)
  }

  async release (name: string, node: string, off: boolean): Promise<void> {
    await this.step(off ? 'end' : 'release', name, { node })
  }

  async turn (name: string, on: boolean | undefined): Promise<void> {
    await this.step(on === undefined ? 'forget' : on ? 'on' : 'off', name)
  }

  private async step (step: Step, name: string, hold: Partial<Hold> = {}): Promise<Lease> {
    const { node = '', note = '', forMs = 0, byDefault = false } = hold
    const keys = [this.keys.lease(name), this.keys.leaseSwitch(name)] as const
    const args = [step, node, note, forMs, byDefault ? '1' : '', SWITCH_KEPT_SECONDS * 1000]
    const [holder, said, switched] = await attempt(() => this.command(...keys, ...args))
    return {
      holder: holder === '' ? undefined : holder,
      note: said,
      switched: switched === '' ? undefined : switched === 'on'
    }
  }
}
