import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import { ShardListener } from '../../log/redis/tail/listener.js'
import { TimedOut } from '../../log/redis/time-limit.js'
import type { CoordinationConnections } from './connect.js'
import type { CoordinationKeys } from './keys.js'

/** The channels that a node listens to, by their index in the listener. */
const QUESTIONS = 0
const ANSWERS = 1

const ONLY_THIS_SERVER = 'only this server could be asked: the others cannot be reached now'

type Answerer = (question: string) => string

/** A question and an answer, as JSON goes over the channels. */
type Question = readonly [from: string, number: number, text: string]
type Answer = readonly [number: number, texts: readonly string[]]

interface Asked {
  readonly answers: string[]
  /** Number of nodes that have answered. */
  heard: number
  /** Number of nodes that got the question; undefined until that is known. */
  receivers: number | undefined
  readonly done: () => void
}

/** Asks all nodes a question over pub/sub, and answers the questions of others. */
export class Questions {
  private readonly node = randomUUID()
  private readonly answerers = new Set<Answerer>()
  private readonly asked = new Map<number, Asked>()
  private readonly listener: ShardListener
  private numbers = 0

  constructor (
    private readonly connections: CoordinationConnections,
    private readonly keys: CoordinationKeys,
    private readonly onError: (error: unknown, message: string) => void
  ) {
    this.listener = new ShardListener(connections.subscriber, [keys.questions, keys.answers(this.node)], {
      onText: (channel, text) => { this.take(channel, text) },
      // Nothing to do: the node that asked knows that this one did not answer.
      onMissed: () => {}
    })
  }

  /** Begins to hear the other nodes. */
  async start (): Promise<void> {
    await Promise.all([QUESTIONS, ANSWERS].map(channel => this.listener.listen(channel)))
  }

  answer (answerer: Answerer): () => void {
    this.answerers.add(answerer)
    return () => { this.answerers.delete(answerer) }
  }

  /** See `Coordination.ask`. */
  async ask (text: string, withinMs: number): Promise<readonly string[]> {
    const number = ++this.numbers
    const question: Question = [this.node, number, text]
    const answers = this.answersTo(text)
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const asked: Asked = { answers, heard: 0, receivers: undefined, done: resolve }
        this.asked.set(number, asked)
        timer = setTimeout(() => {
          if (asked.receivers === undefined) reject(new TimedOut('the question was not published in time'))
          else resolve()
        }, withinMs)
        this.publish(this.keys.questions, question).then(receivers => {
          asked.receivers = receivers
          finishIfHeard(asked)
        }, reject)
      })
    } catch {
      throw new ProtocolError('log_unavailable', ONLY_THIS_SERVER)
    } finally {
      clearTimeout(timer)
      this.asked.delete(number)
    }
    return answers
  }

  close (): void {
    this.listener.close()
    for (const { done } of this.asked.values()) done()
  }

  private take (channel: number, text: string): void {
    try {
      if (channel === QUESTIONS) this.takeQuestion(JSON.parse(text) as Question)
      else this.takeAnswer(JSON.parse(text) as Answer)
    } catch (error) {
      this.onError(error, 'a question or an answer of another server could not be read')
    }
  }

  private takeQuestion ([from, number, text]: Question): void {
    // This node gave its own answers before it asked. Its question, when it comes back, only counts as heard.
    if (from === this.node) {
      this.takeAnswer([number, []])
      return
    }
    const answer: Answer = [number, this.answersTo(text)]
    this.publish(this.keys.answers(from), answer).catch((error: unknown) => {
      this.onError(error, 'a question of another server could not be answered')
    })
  }

  private takeAnswer ([number, texts]: Answer): void {
    const asked = this.asked.get(number)
    if (asked === undefined) return
    asked.answers.push(...texts)
    asked.heard++
    finishIfHeard(asked)
  }

  private answersTo (question: string): string[] {
    return [...this.answerers].map(answer => answer(question))
  }

  private async publish (channel: string, message: Question | Answer): Promise<number> {
    const text = JSON.stringify(message)
    return await this.connections.commands.send(channel, redis => redis.spublish(channel, text)) as number
  }
}

function finishIfHeard ({ heard, receivers, done }: Asked): void {
  if (receivers !== undefined && heard >= receivers) done()
}
