import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StreamEntry } from '../append/batch.js'
import type { Folded } from './folded-states.js'

/** Most topics in one read: Redis does nothing else meanwhile. */
const MAX_TOPICS = 128
/**
 * After this many bytes of payloads, the next read asks for the other topics. One topic alone may have more.
 */
const MAX_BYTES = 1 << 20
/** How long answers are worked on before other work of the event loop gets a turn. */
const WORK_MS = 5

/** What a caller has folded of a topic; see state.lua. */
export interface StateQuestion {
  readonly topic: string
  readonly from: number
  readonly epoch: number
  readonly lastOnly: boolean
  /** The state that the caller folds onto. */
  readonly known?: Folded | undefined
}

export type Kept = [sequence: string, offset: string, time: string, payload: string]
export type TopicAnswer = [kept: Kept | [], entries: StreamEntry[]]
type BatchAnswer = [epoch: string, offset: string, answers: Array<TopicAnswer | Error>]

export interface StateReadsOptions<State> {
  /** Makes the question for a topic. It is called when the question is sent. */
  question (topic: string): StateQuestion
  /** Asks for some topics of the shard. It answers for the first of them, and at least for one. */
  ask (questions: readonly StateQuestion[], maxBytes: number): Promise<BatchAnswer>
  /** Makes the state from an answer. It is called in the order of the questions. */
  state (question: StateQuestion, epoch: number, asOf: number, answer: TopicAnswer): State
  failure (topic: string, error: Error): Error
}

interface Waiting<State> {
  readonly answer: Promise<State>
  resolve (state: State): void
  reject (error: unknown): void
}

/**
 * Reads the states of one shard's topics. While one read is under way, topics wait for the next; callers that
 * ask for the same waiting topic share its answer. So many clients that begin at once cost Redis no more than
 * one client with all their topics, and a node has one answer of a shard in memory at a time.
 */
export class StateReads<State> {
  private readonly waiting = new Map<string, Waiting<State>>()
  private reading = false

  constructor (private readonly options: StateReadsOptions<State>) {}

  /** Reads the state of a topic, as it is after this call. */
  async read (topic: string): Promise<State> {
    let waiting = this.waiting.get(topic)
    if (waiting === undefined) {
      this.waiting.set(topic, waiting = newWaiting())
      if (!this.reading) void this.readAll()
    }
    return await waiting.answer
  }

  private async readAll (): Promise<void> {
    this.reading = true
    // Callers in the same turn share the first read.
    await nextTurn()
    while (this.waiting.size > 0) await this.readSome()
    this.reading = false
  }

  private async readSome (): Promise<void> {
    const some = [...this.waiting].slice(0, MAX_TOPICS)
    for (const [topic] of some) this.waiting.delete(topic)
    try {
      const questions = some.map(([topic]) => this.options.question(topic))
      const [epoch, offset, answers] = await this.options.ask(questions, MAX_BYTES)
      await this.settle(some, questions, Number(epoch), Number(offset), answers)
      this.putBack(some.slice(answers.length))
    } catch (error) {
      // Rejects all that wait, so that they need not find out one read after another that the shard is
      // unreachable.
      for (const [, waiting] of [...some, ...this.waiting]) waiting.reject(error)
      this.waiting.clear()
    }
  }

  private async settle (
    some: ReadonlyArray<[topic: string, waiting: Waiting<State>]>,
    questions: readonly StateQuestion[],
    epoch: number,
    asOf: number,
    answers: BatchAnswer[2]
  ): Promise<void> {
    let began = performance.now()
    for (const [index, answer] of answers.entries()) {
      const [topic, waiting] = some[index]!
      try {
        if (answer instanceof Error) throw this.options.failure(topic, answer)
        waiting.resolve(this.options.state(questions[index]!, epoch, asOf, answer))
      } catch (error) {
        waiting.reject(error)
      }
      if (performance.now() - began < WORK_MS) continue
      await nextTurn()
      began = performance.now()
    }
  }

  /**
   * Puts topics that the read had no room for before those that were asked for since. If a topic was asked
   * for again, both callers share one answer.
   */
  private putBack (left: ReadonlyArray<[topic: string, waiting: Waiting<State>]>): void {
    const since = [...this.waiting]
    this.waiting.clear()
    for (const [topic, waiting] of left) this.waiting.set(topic, waiting)
    for (const [topic, waiting] of since) {
      const other = this.waiting.get(topic)
      if (other === undefined) this.waiting.set(topic, waiting)
      else other.answer.then(waiting.resolve, waiting.reject)
    }
  }
}

function newWaiting<State> (): Waiting<State> {
  let resolve: (state: State) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const answer = new Promise<State>((...settle) => { [resolve, reject] = settle })
  return { answer, resolve, reject }
}
