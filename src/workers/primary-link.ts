import type { AdminLinkDesk } from '../auth/admin-links.js'
import { errorOf } from '../local/faults.js'
import type { FromWorker, ToWorker, Wish } from './messages.js'
import type { Seat, Workers, WorkersMetrics } from './seat.js'

/** How long the first process may take to answer. */
const PATIENCE_MS = 5000

interface Pending {
  resolve (value: unknown): void
  reject (error: Error): void
}

/** A worker's side of what it and the first process tell one another. */
export class PrimaryLink implements Workers {
  readonly name: string
  readonly adminLinks: AdminLinkDesk
  areClosing = false
  private readonly wishes = new Map<number, Pending>()
  private numbers = 0
  private metrics: () => Promise<string> = async () => ''

  /** @param onClose is called when this worker shall close in good order */
  constructor ({ number }: Seat, onClose: () => void) {
    this.name = String(number)
    this.adminLinks = {
      offer: async () => { await this.wish('offer') },
      exchange: async code => await this.wish('exchange', code) as string,
      knows: async user => await this.wish('knows', user) as boolean,
      renew: async user => { await this.wish('renew', user) }
    }
    process.on('message', (message: ToWorker) => {
      switch (message.kind) {
        case 'close': {
          this.areClosing = message.all
          onClose()
          return
        }
        case 'granted': return this.settle(message.number, ({ resolve }) => { resolve(message.value) })
        case 'refused': return this.settle(message.number, ({ reject }) => { reject(errorOf(message.fault)) })
        case 'measure': {
          const { number } = message
          void this.metrics().then(text => { tell({ kind: 'metrics', number, text }) })
        }
      }
    })
  }

  answerMetrics (metrics: () => Promise<string>): void {
    this.metrics = metrics
  }

  async gatherMetrics (): Promise<WorkersMetrics> {
    return await this.wish('metrics') as WorkersMetrics
  }

  private async wish (...wish: Wish): Promise<unknown> {
    const number = ++this.numbers
    let late: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        this.wishes.set(number, { resolve, reject })
        const giveUp = (): void => { reject(new Error('the first process did not answer in time')) }
        late = setTimeout(giveUp, PATIENCE_MS)
        tell({ kind: 'wish', number, wish })
      })
    } finally {
      clearTimeout(late)
      this.wishes.delete(number)
    }
  }

  private settle (number: number, how: (pending: Pending) => void): void {
    const pending = this.wishes.get(number)
    if (pending !== undefined) how(pending)
  }
}

/** Tells the first process something; nothing if it is gone. */
export function tell (message: FromWorker, done: () => void = () => {}): void {
  if (process.connected && process.send !== undefined) process.send(message, undefined, undefined, done)
  else done()
}
