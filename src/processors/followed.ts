import { ProtocolError } from '@tickwire/protocol'
import type { Entry, Log, Snapshot } from '../log/log.js'
import { atATime } from './at-a-time.js'
import type { Following, Input } from './processor.js'

/** Topics whose states are read at once. */
const AT_A_TIME = 64

/** The topics that a run follows, with the states that it has learned from the log. */
export class Followed<Decision> {
  /** By topic, the sequence up to which its state was learned. */
  private readonly learned = new Map<string, number>()

  constructor (private readonly log: Log, readonly following: Following<Decision>) {}

  async begin (): Promise<void> {
    await this.learn(this.following.begin())
  }

  /** Learns what must be known before a message can be decided about. */
  async prepare (message: Input): Promise<void> {
    const topics = this.following.needs(message)
    if (topics.length > 0) await this.learn(topics)
  }

  /** Whether an entry does not matter, or is part of a state that was learned. */
  passesOver ({ topic, sequence }: Pick<Entry, 'topic' | 'sequence'>): boolean {
    return !this.following.concerns(topic) || sequence <= (this.learned.get(topic) ?? 0)
  }

  /** Whether a topic's past is of no use: it does not matter, or its state was learned. */
  knows (topic: string): boolean {
    return this.learned.has(topic) || !this.following.concerns(topic)
  }

  private async learn (topics: readonly string[]): Promise<void> {
    for (const [topic, state] of await readStates(this.log, topics)) {
      this.learned.set(topic, state?.sequence ?? 0)
      this.following.learn(topic, state === undefined ? undefined : JSON.parse(state.payload))
    }
  }
}

/**
 * Reads the states of topics. One that the log cannot fold has none.
 * @throws ProtocolError `log_unavailable`
 */
export async function readStates (
  log: Log, topics: readonly string[]
): Promise<ReadonlyMap<string, Snapshot | undefined>> {
  const states = new Map<string, Snapshot | undefined>()
  await atATime(AT_A_TIME, topics, async topic => { states.set(topic, await readState(log, topic)) })
  return states
}

async function readState (log: Log, topic: string): Promise<Snapshot | undefined> {
  try {
    return await log.snapshot(topic)
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    return undefined
  }
}
