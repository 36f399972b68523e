import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import { ShardListener } from '../../log/redis/tail/listener.js'
import { TimedOut } from '../../log/redis/time-limit.js'
import type { CoordinationConnections } from './connect.js'
import type { CoordinationKeys } from './keys.js'

/** The channels that a node listens to, by number. */
const QUESTIONS = 0
const ANSWERS = 1

type Answerer = (question: string) => string

/** As they go over the channels, in JSON. */
type Question = readonly [from: string, number: number, text: string]
type Answer = readonly [number: number, texts: readonly string[]]

interface Asked {
  readonly answers: string[]
  /** How many nodes have been heard, and how many there are to hear; undefined until that is known. */
  heard: number
  receivers: number | undefined
  readonly done: () => void
}

/** Questions that one node asks all, over pub/sub. */
export class Questions {
  private readonly node = randomUUID()
  private readonly answerers = new Set<Answerer>()
  private readonly asked = new Map<number, Asked>()
  private readonly listener: ShardListener
  private numbers = 0

  constructor (
    private readonly connections: CoordinationConnections, private readonly keys: CoordinationKeys, private readonly onError: (error: unknown, message: string) => void
  ) {
    this.listener = new ShardListener(connections.subscriber, [keys.questions, keys.answers(this.node)], {
      onText: (channel, text) => { this.take(channel, text) },
      // Who asked has not heard this node either, and was told so.
      onMissed: () => {}
    })
  }

  /** Hears the others from now on. */
  async start (): Promise<void> {
    await Promise.all([QUESTIONS, ANSWERS].map(channel => this.listener.listen(channel)))
  }

  answer (answerer: Answerer): () => void {
    this.answerers.add(answerer)
    return () => { this.answerers.delete(answerer) }
  }

  /** As `Coordination.ask`. */
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
          if (asked.receivers === undefined) reject(new TimedOut('the question was not taken in time'))
          else resolve()
        }, withinMs)
        this.publish(this.keys.questions, question).then(receivers => {
          asked.receivers = receivers
          finishIfHeard(asked)
        }, reject)
      })
    } catch {
      throw new ProtocolError('log_unavailable', 'only this server could be asked: the others cannot be reached now')
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
      this.onError(error, 'what another server asked or answered could not be taken')
    }
  }

  private takeQuestion ([from, number, text]: Question): void {
    // It has given its own answers before it asked; that its question came back counts as heard.
    if (from === this.node) {
      this.takeAnswer([number, []])
      return
    }
    const answer: Answer = [number, this.answersTo(text)]
    this.publish(this.keys.answers(from), answer).catch((error: unknown) => { this.onError(error, 'a question of another server could not be answered') })
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
    return await this.connections.commands.send(channel, redis => redis.spublish(channel, JSON.stringify(message))) as number
  }
}

function finishIfHeard ({ heard, receivers, done }: Asked): void {
  if (receivers !== undefined && heard >= receivers) done()
}
