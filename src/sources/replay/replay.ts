import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import { venues } from '../venues/venues.js'
import type { Lazy, Source, SourceContext, SourceMessage } from '../source.js'
import { Recording } from './recording.js'
import { wordsOf } from '../../errors.js'

export interface ReplayOptions {
  readonly file: string
  /** A file with the HTTP answers of the session, if they were recorded apart. */
  readonly answers?: string | undefined
  /** How many times as fast as the recording; `max`: as fast as the log takes it. */
  readonly speed: number | 'max'
  /** Whether it starts again, as a new session, when it is over. */
  readonly loop: boolean
  readonly manual: boolean
  /** How long it goes on without subscribers, in milliseconds; undefined: until the recording is over. */
  readonly lingerMs?: number | undefined
}

/** The number of messages that are published at a time. */
const BATCH = 256

/**
 * Sends a recorded session through the parser of its venue, at the times of the recording. It always starts
 * at the beginning, even when another server takes it over: a session begins with whole states.
 */
export class Replay implements Source {
  readonly name = 'replay'
  readonly manual: boolean
  readonly lazy: Lazy | undefined
  private recording: Recording | undefined

  constructor (private readonly options: ReplayOptions) {
    this.manual = options.manual
    const { lingerMs } = options
    const channels = [...new Set(venues.flatMap(({ channels }) => channels))]
    this.lazy = lingerMs === undefined ? undefined : { channels, lingerMs }
  }

  async instruments (): Promise<readonly Instrument[]> {
    return await (await this.open()).instruments()
  }

  async run (context: SourceContext): Promise<void> {
    const recording = await this.open()
    do await this.play(recording, context)
    while (this.options.loop && !context.signal.aborted)
  }

  private async open (): Promise<Recording> {
    this.recording ??= await Recording.open(this.options.file, this.options.answers)
    return this.recording
  }

  private async play (recording: Recording, { publish, signal }: SourceContext): Promise<void> {
    const parser = recording.venue.createParser()
    const { speed } = this.options
    let batch: SourceMessage[] = []
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return
      const due = batch
      batch = []
      await publish(due)
    }
    // Times count from the first frame, so that the delays of single waits do not add up.
    let first: number | undefined
    let startedAt = 0
    for await (const { time, payload, request, file, line } of recording.frames()) {
      if (signal.aborted) return
      if (first === undefined) {
        first = time
        startedAt = performance.now()
      }
      if (speed !== 'max') {
        const wait = startedAt + (time - first) / speed - performance.now()
        if (wait >= 1) {
          await flush()
          if (!await pause(wait, signal)) return
        }
      }
      try {
        batch.push(...request === undefined
          ? parser.parse(payload, time)
          : parser.answer?.(request, payload) ?? [])
      } catch (error) {
        const reason = wordsOf(error)
        throw new Error(`replay: ${file}, line ${line}: ${reason}`, { cause: error })
      }
      if (batch.length >= BATCH) await flush()
    }
    if (!signal.aborted) await flush()
  }
}

/** Waits. @returns false if the signal came first */
async function pause (milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal })
    return true
  } catch {
    return false
  }
}
