import { setTimeout as delay } from 'node:timers/promises'
import { BeginAnew } from '../processors/shard-inputs.js'
import type { SourceLogger } from '../sources/source.js'
import { type Recording, StaleRecorder } from '../store/recording.js'
import { type RecordedRow, type RecorderPosition, recordingTables } from '../store/tables.js'
import { rowFault } from '../store/writer/row-fault.js'
import { wordsOf } from '../errors.js'

/** Characters of a row beyond which it is not recorded. */
const MAX_ROW_CHARACTERS = 1 << 20
const RETRY = { leastMs: 100, mostMs: 5000 }
const SAY_EVERY_MS = 30_000

/**
 * What is counted: messages by channel, and failed attempts. `missed`: the log had dropped them before they
 * could be written; `refused`: no database takes them.
 */
export type RecorderEvent = 'recorded' | 'missed' | 'refused' | 'failed'

export interface ShardWriterOptions {
  readonly recording: Recording
  readonly logger: SourceLogger
  /** @param channel empty for `failed` */
  count (channel: string, event: RecorderEvent, times: number): void
  readonly retry?: typeof RETRY | undefined
}

/** Where to move a position. */
export type Moved = Pick<RecorderPosition, 'log_offset' | 'timestamp' | 'catching_up'>

/** Writes the rows of one shard, each batch with the position to which it leads. */
export class ShardWriter {
  private saidAt = -Infinity

  /** @param position of the store, or one that follows from it */
  constructor (
    public position: RecorderPosition,
    private readonly options: ShardWriterOptions,
    private readonly signal: AbortSignal
  ) {}

  /**
   * Writes rows and moves the position; leaves out rows that cannot be written.
   * @param rows in the order of the log if the position moves to the last of them
   * @throws BeginAnew if another recorder has moved the position; if the signal is aborted, what failed
   */
  async write (rows: readonly RecordedRow[], moved: Moved): Promise<void> {
    const sound = rows.filter(row => {
      const fault = faultOf(row)
      if (fault !== undefined) this.refuse(row, fault)
      return fault === undefined
    })
    await this.writeSound(sound, moved)
  }

  /** Deletes what was written beyond the position. @throws as `write` */
  async rewind (): Promise<void> {
    this.position = await this.untilAvailable(() => this.options.recording.rewind(this.position))
  }

  private async writeSound (rows: readonly RecordedRow[], moved: Moved): Promise<void> {
    const { recording, count } = this.options
    const refusal = await this.untilAvailable(async () => {
      try {
        this.position = await recording.append(rows, {
          ...this.position,
          log_offset: moved.log_offset,
          timestamp: moved.timestamp,
          catching_up: moved.catching_up
        })
        return undefined
      } catch (error) {
        if (rows.length > 0 && recording.isRefusal(error)) return { error }
        throw error
      }
    })
    if (refusal === undefined) {
      const byChannel = new Map<string, number>()
      for (const { channel } of rows) byChannel.set(channel, (byChannel.get(channel) ?? 0) + 1)
      for (const [channel, times] of byChannel) count(channel, 'recorded', times)
    } else if (rows.length === 1) {
      this.refuse(rows[0]!, wordsOf(refusal.error))
      await this.writeSound([], moved)
    } else {
      // The database does not say which row it refuses.
      const half = rows.length >> 1
      const to = moved.catching_up === 1 ? this.position : rows[half - 1]!
      const middle = { log_offset: to.log_offset, timestamp: to.timestamp, catching_up: moved.catching_up }
      await this.writeSound(rows.slice(0, half), middle)
      await this.writeSound(rows.slice(half), moved)
    }
  }

  private refuse ({ channel, symbol, sequence }: RecordedRow, why: string): void {
    this.options.count(channel, 'refused', 1)
    if (performance.now() - this.saidAt < SAY_EVERY_MS) return
    this.saidAt = performance.now()
    this.options.logger.error({ event: 'recorder', channel, symbol, sequence, error: why },
      'the store cannot take a message: the recording is without it; the recorder only counts others')
  }

  /** As {@link untilAvailable}. */
  private async untilAvailable<Answer> (work: () => Promise<Answer>): Promise<Answer> {
    return await untilAvailable(work, this.position.shard, this.options, this.signal)
  }
}

/**
 * Tries until the store answers, or the signal is aborted.
 * @throws BeginAnew if another recorder writes the shard; if the signal is aborted, what the work failed with
 */
export async function untilAvailable<Answer> (
  work: () => Promise<Answer>,
  shard: number,
  { logger, count, retry = RETRY }: Pick<ShardWriterOptions, 'logger' | 'count' | 'retry'>,
  signal: AbortSignal
): Promise<Answer> {
  const beganAt = performance.now()
  let saidAt = -Infinity
  for (let waitMs = retry.leastMs; ; waitMs = Math.min(2 * waitMs, retry.mostMs)) {
    try {
      const answer = await work()
      const after = Math.round(performance.now() - beganAt)
      if (saidAt > 0) logger.info({ event: 'recorder', shard, after_ms: after }, 'the recorder writes again')
      return answer
    } catch (error) {
      if (error instanceof StaleRecorder) throw new BeginAnew()
      if (signal.aborted) throw error
      count('', 'failed', 1)
      if (performance.now() - saidAt > SAY_EVERY_MS) {
        saidAt = performance.now()
        logger.warn({ event: 'recorder', shard, error: wordsOf(error) },
          'the recorder cannot reach the store; it tries again, and then reads what the log still has')
      }
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
}

/** Why a row cannot be written to any database; undefined if it can. */
function faultOf (row: RecordedRow): string | undefined {
  const { length } = row.data
  if (length > MAX_ROW_CHARACTERS) return `it has ${length} characters, of at most ${MAX_ROW_CHARACTERS}`
  return rowFault({ columns: recordingTables.recorded }, row)
}
