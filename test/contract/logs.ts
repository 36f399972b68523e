import { standardChannels } from '@tickwire/protocol'
import type { Test } from 'tap'
import type { Entry, Log, LogClock, Page, Retention } from '../../src/log/log.js'
import { ENTRY_OVERHEAD_BYTES, MemoryLog } from '../../src/log/memory/memory-log.js'

/** A clock that stands still until the test moves it; epochs that a failed run's output can be read by. */
export class ManualClock implements LogClock {
  time = Date.UTC(2026, 0, 1)
  private epochs = 0

  now (): number {
    return this.time
  }

  randomEpoch (): number {
    return (0xE0000000 + ++this.epochs) >>> 0
  }

  sleep (seconds: number): void {
    this.time += seconds * 1000
  }
}

export interface OpenOptions {
  readonly shards: number
  readonly retention: Retention
  readonly maxTopics: number
  readonly clock: ManualClock
}

export interface OpenLog {
  readonly log: Log
  /** The log is restarted, and what lies beyond an offset of each shard is lost. */
  restart (keep: readonly number[]): Promise<void>
  close (): Promise<void>
}

export interface LogBackend {
  readonly name: string
  /**
   * Time is the test's clock, and retention holds to the message. Undefined where a server has a clock of its own
   * and trims in its own steps: what depends on either is then not asked of it.
   */
  readonly exact?: {
    /** What an entry counts beside its payload. */
    readonly overheadBytes: number
  }
  open (options: OpenOptions): Promise<OpenLog>
}

/** Every backend there is: the suites of this folder walk this list. */
export const backends: readonly LogBackend[] = [
  {
    name: 'memory',
    exact: { overheadBytes: ENTRY_OVERHEAD_BYTES },
    async open (options) {
      const log = new MemoryLog({ ...options, channels: standardChannels })
      return { log, restart: async keep => { log.restart(keep) }, close: () => log.close() }
    }
  }
]

export const AMPLE: Retention = { messages: 10_000, seconds: 3600, bytes: 1 << 26 }

/** Opens a log that is closed when the test ends. */
export async function openLog (
  t: Test, backend: LogBackend, { shards = 1, retention = {}, maxTopics = 1000 }: { shards?: number, retention?: Partial<Retention>, maxTopics?: number } = {}
): Promise<OpenLog & { readonly clock: ManualClock }> {
  const clock = new ManualClock()
  const opened = await backend.open({ shards, retention: { ...AMPLE, ...retention }, maxTopics, clock })
  t.teardown(() => opened.close())
  return { ...opened, clock }
}

/** Whether a reader who had all up to an offset of the topic's shard lost anything of a topic (DESIGN, "Was anything lost?"). */
export function wasLost ({ entries: [first], last }: Page, offset: number): boolean {
  return first === undefined ? (last?.offset ?? 0) > offset : first.previous > offset
}

/** Everything that the log holds of a topic. */
export async function held (log: Log, topic: string): Promise<readonly Entry[]> {
  return (await log.read(topic, { sequence: 0 }, 1_000_000)).entries
}

/** Long enough for a message to come back from a server on the same machine. */
const PATIENCE_MS = 5000

/** Waits for what another process may have to bring. */
export async function eventually (what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}
