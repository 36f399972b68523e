import type { Entry, Log, Page } from '../log/log.js'

/** Messages that are read at a time. */
const PAGE = 1000

export interface Held {
  /** Oldest first. */
  readonly entries: readonly Entry[]
  readonly epoch: number
  /** Every message of the topic up to this offset is among them, or gone from the log; none beyond. */
  readonly asOf: number
}

/** All that the log still holds of a topic: what a topic without a state is given in its place. */
export async function readHeld (log: Log, topic: string): Promise<Held> {
  const { entries, last } = await readAll(from => log.read(topic, { offset: from?.offset ?? 0 }, PAGE))
  return { entries, epoch: last.epoch, asOf: entries.at(-1)?.offset ?? last.last?.offset ?? 0 }
}

/** A topic's messages behind a sequence. */
export async function readBacklog (log: Log, topic: string, sequence: number): Promise<readonly Entry[]> {
  return (await readAll(from => log.read(topic, { sequence: from?.sequence ?? sequence }, PAGE))).entries
}

/** From where what the log holds of a topic behind an offset goes on. */
export async function beforeFirstHeld (log: Log, topic: string, offset: number): Promise<number> {
  const page = await log.read(topic, { offset }, 1)
  return page.entries[0]?.previous ?? page.last?.offset ?? 0
}

async function readAll (read: (from: Entry | undefined) => Promise<Page>): Promise<{ readonly entries: readonly Entry[], readonly last: Page }> {
  const entries: Entry[] = []
  for (;;) {
    const last = await read(entries.at(-1))
    entries.push(...last.entries)
    if (last.entries.length < PAGE) return { entries, last }
  }
}
