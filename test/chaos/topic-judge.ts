import { isDeepStrictEqual } from 'node:util'
import { foldState } from '../helpers/state-follower.js'
import type { Given, ResetTold } from './events.js'
import { hasState } from './topics.js'
import type { Published, Truth } from './truth.js'

/** What an application holds of one topic, by what its client told it, beside what the server had. */
export class TopicJudge {
  duplicates = 0
  resets = 0
  /** The messages that the application has, oldest first; of a state, those since its snapshot. */
  private held: Published[] = []
  private state: unknown
  /** The next message must follow this sequence, where nothing is held. Undefined: it may be any. */
  private floor: number | undefined
  private readonly isState: boolean

  constructor (
    private readonly topic: string, private readonly truth: Truth,
    private readonly fail: (failure: string) => void
  ) {
    this.isState = hasState(topic)
  }

  take (given: Given): void {
    const { sequence, snapshot = false, prev, data } = given
    const found = this.truth.find(this.topic, data)
    if (found === undefined) return this.fails(`message ${sequence} was never published: ${JSON.stringify(data)}`)
    if (found.sequence !== sequence) return this.fails(`message ${found.sequence} came as number ${sequence}`)
    const replaces = snapshot && this.isState
    if (this.follows(found, prev ?? sequence - 1, replaces)) this.hold(found, data, replaces)
    this.compare(found, data, replaces || prev !== undefined)
  }

  /** @param at when it was told */
  reset ({ sequence, reason }: ResetTold, at: number): void {
    this.resets++
    const [firstLoss = Infinity] = this.truth.losses
    if (at < firstLoss) this.fails(`a reset (${reason}), though nothing was lost`)
    this.floor = sequence ?? 0
    this.held = this.isState ? [] : this.held.filter(message => message.sequence <= this.floor!)
    this.state = undefined
  }

  /** Compares what the application holds at the end with what the server has. */
  end (): void {
    const { held, truth, topic } = this
    const last = truth.last(topic)
    const mine = held.at(-1)
    if (mine !== last) {
      const lost = mine?.lostIn === undefined ? '' : ', which was lost'
      this.fails(`the application ends with ${mine?.sequence ?? 'nothing'}${lost}, the server with ${last?.sequence}`)
    }
    const [first] = held
    const wrong = this.isState
      ? -1
      : held.findIndex((message, at) => message !== truth.at(topic, first!.sequence + at))
    if (wrong >= 0) this.fails(`the application holds a message ${held[wrong]!.sequence} that the server does not have`)
  }

  /** Says what is wrong about its place. @returns whether the application now has it */
  private follows (found: Published, before: number, replaces: boolean): boolean {
    const { sequence, generation } = found
    const last = this.held.at(-1)
    if (last === undefined) {
      if (!this.isState && this.floor !== undefined && sequence !== this.floor + 1) {
        this.fails(`after a reset it goes on with ${sequence}, though the server has ${this.floor + 1}`)
      }
      return true
    }
    if (last.lostIn !== undefined && last.lostIn <= generation) {
      this.fails(`${sequence} comes after ${last.sequence}, which was lost, and no reset says so`)
    } else if (generation < last.generation) this.fails(`${sequence} was lost when ${last.sequence} came`)
    else if (replaces) {
      if (sequence < last.sequence) this.fails(`the snapshot ${sequence} comes after ${last.sequence}`)
    } else if (sequence <= last.sequence) {
      this.duplicates++
      this.fails(`${sequence} comes after ${last.sequence}: twice, or out of order`)
      return false
    } else if (before > last.sequence) {
      this.fails(`${sequence} comes after ${last.sequence}: messages are missing, and no reset says so`)
    }
    return true
  }

  private hold (found: Published, data: unknown, replaces: boolean): void {
    // What does not follow on is said once, and not again with each message behind it.
    const next = this.held.at(-1)?.sequence === found.sequence - 1
    if (this.isState || !next) this.held = []
    this.held.push(found)
    if (this.isState) this.state = foldState(this.state, data, replaces)
  }

  private compare (found: Published, data: unknown, isConflated: boolean): void {
    const { sequence } = found
    if (!isConflated && !isDeepStrictEqual(data, found.data)) {
      this.fails(`message ${sequence} is ${JSON.stringify(data)}, and was published as ${JSON.stringify(found.data)}`)
    }
    if (this.isState && this.held.at(-1) === found && !isDeepStrictEqual(this.state, found.state)) {
      this.fails(`the state after ${sequence} is ${JSON.stringify(this.state)}, the server had ${JSON.stringify(found.state)}`)
      this.state = found.state
    }
  }

  private fails (failure: string): void {
    this.fail(`${this.topic}: ${failure}`)
  }
}
