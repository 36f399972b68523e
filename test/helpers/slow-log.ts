import { ProtocolError } from '@tickwire/protocol'
import type { Entry } from '../../src/log/log.js'
import type { MemoryLog } from '../../src/log/memory/memory-log.js'
import type { Choices } from './random.js'

const METHODS = ['tail', 'head', 'topics', 'recent', 'read', 'snapshot'] as const

export interface SlowLog {
  /** How often a shard began to be followed, and ended to be. */
  begun: number
  ended: number
  /** Share of the shards that cannot be followed when they are asked for. */
  failures: number
}

/** Lets a log answer like one on a network: later than it is asked, and what it says may be old by then. */
export function slowDown (log: MemoryLog, choices: Choices, maxMs: number): SlowLog {
  const slow: SlowLog = { begun: 0, ended: 0, failures: 0 }
  const pause = async (): Promise<void> => {
    const ms = choices.integer(0, maxMs)
    await new Promise<void>(resolve => { if (ms === 0) setImmediate(resolve); else setTimeout(resolve, ms) })
  }
  const topics = log.topics.bind(log)
  const read = log.read.bind(log)
  // A log on another machine remembers its recent messages; the log of one process does not need to.
  log.recent = async (shard = 0): Promise<readonly Entry[]> => {
    const pages = await Promise.all(Array.from(await topics(shard), async ([topic]) => (
      (await read(topic, { offset: 0 }, 1_000_000)).entries
    )))
    const newestFirst = pages.flat().sort((a, b) => b.offset - a.offset)
    const whole = newestFirst.findIndex((entry, index) => (
      index > 0 && entry.offset + 1 !== newestFirst[index - 1]!.offset
    ))
    return newestFirst.slice(0, whole < 0 ? undefined : whole).reverse()
  }
  for (const method of METHODS) {
    const answer = log[method].bind(log) as (...question: unknown[]) => Promise<unknown>
    Object.assign(log, {
      [method]: async (...question: unknown[]) => {
        await pause()
        if (method === 'tail' && choices.next() < slow.failures) throw new ProtocolError('log_unavailable')
        const answered = await answer(...question)
        if (method === 'tail') count(slow, answered as { end: () => void })
        await pause()
        return answered
      }
    })
  }
  return slow
}

function count (slow: SlowLog, tailing: { end: () => void }): void {
  slow.begun++
  const { end } = tailing
  tailing.end = () => { slow.ended++; end() }
}
