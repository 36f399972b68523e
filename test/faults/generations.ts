import type { Acknowledged } from './publisher.js'
import type { Loss } from './loss.js'
import type { StoredLog } from './stored-log.js'
import type { Stretch } from './witness.js'

/**
 * What a topic held between one loss and the next: the messages that the next loss left, which were read from
 * the log, and the messages that it took. Only some of the latter are known, from acknowledgements and from
 * clients.
 */
interface Generation {
  readonly kept: readonly number[]
  /** By sequence. */
  readonly taken: Map<number, number>
}

/** The lives of the log: it begins anew at each loss, with what was left. */
export class Generations {
  readonly violations: string[] = []
  private readonly byTopic = new Map<string, Generation[]>()

  constructor (
    private readonly losses: readonly Loss[],
    private readonly final: StoredLog,
    private readonly started: ReadonlyMap<string, readonly number[]>
  ) {
    const logs = [...losses.map(({ kept }) => kept), final]
    for (const topic of started.keys()) {
      const generations = logs.map(({ numbers }): Generation => ({
        kept: numbers.get(topic) ?? [],
        taken: new Map()
      }))
      this.byTopic.set(topic, generations)
      for (const [index, { kept }] of generations.entries()) {
        this.checkStored(topic, kept, generations[index + 1]?.kept)
      }
    }
  }

  get last (): number {
    return this.losses.length
  }

  /** The sequence of a topic's last message, now. */
  lengthOf (topic: string): number {
    return this.final.numbers.get(topic)?.length ?? 0
  }

  /** An acknowledged message is in the log where the answer said, unless a loss took it. */
  checkAcknowledged ({ topic, number, sequence, startedAt, endedAt }: Acknowledged): 'kept' | 'lost' {
    const generations = this.byTopic.get(topic)!
    const possible = generations.flatMap((generation, index) => (
      this.overlaps(index, startedAt, endedAt) ? [{ generation, index }] : []
    ))
    if (possible.some(({ generation }) => generation.kept[sequence - 1] === number)) return sequence <= this.lengthOf(topic) && generations.at(-1)!.kept[sequence - 1] === number ? 'kept' : 'lost'
    const takenFrom = possible.filter(({ generation, index }) => (
      index < this.last && sequence > generation.kept.length
    ))
    if (takenFrom.length === 0) {
      const held = possible.map(({ generation }) => generation.kept[sequence - 1])
      this.violations.push(`${topic}: number ${number} was acknowledged as sequence ${sequence}, where the log holds ${held.map(String).join(' or ')}`)
    } else if (takenFrom.length === 1) this.note(topic, takenFrom[0]!.generation, sequence, number)
    return 'lost'
  }

  /** The first generation from `from` on that a stretch can be of; undefined where it can be of none. */
  find (topic: string, stretch: Stretch, from: number): number | undefined {
    for (let index = from; index <= this.last; index++) if (this.fits(topic, stretch, index)) return index
    return undefined
  }

  fits (topic: string, { first, numbers }: Stretch, index: number): boolean {
    const { kept, taken } = this.byTopic.get(topic)![index]!
    const end = first - 1 + numbers.length
    const compared = Math.min(end, kept.length)
    for (let sequence = first; sequence <= compared; sequence++) {
      if (kept[sequence - 1] !== numbers[sequence - first]) return false
    }
    if (end <= kept.length) return true
    if (index === this.last) return false
    const beyond = Math.max(first, kept.length + 1)
    for (let sequence = beyond; sequence <= end; sequence++) {
      const number = numbers[sequence - first]!
      const known = taken.get(sequence)
      if (known === undefined ? !this.wasBegun(topic, number, index) : known !== number) return false
    }
    for (let sequence = beyond; sequence <= end; sequence++) taken.set(sequence, numbers[sequence - first]!)
    return true
  }

  /** Where a stretch is not what the log held last, for people. */
  difference (topic: string, { first, numbers }: Stretch): string {
    const { kept } = this.byTopic.get(topic)!.at(-1)!
    const at = numbers.findIndex((number, index) => kept[first - 1 + index] !== number)
    return at < 0 ? `ends at ${first - 1 + numbers.length} of ${kept.length}` : `has number ${numbers[at]} as ${first + at}, where the log holds ${kept[first - 1 + at]}`
  }

  private checkStored (topic: string, kept: readonly number[], later: readonly number[] | undefined): void {
    const seen = new Set<number>()
    for (const number of kept) {
      if (seen.has(number)) this.violations.push(`${topic}: number ${number} was appended twice`)
      seen.add(number)
    }
    const changed = later?.findIndex((number, index) => index < kept.length && number !== kept[index]) ?? -1
    if (changed >= 0) this.violations.push(`${topic}: sequence ${changed + 1} was ${kept[changed]} and became ${later![changed]}`)
  }

  private overlaps (index: number, from: number, to: number): boolean {
    const began = this.losses[index - 1]?.beganAt ?? -Infinity
    const ended = this.losses[index]?.endedAt ?? Infinity
    return to >= began && from <= ended
  }

  /** Whether a message can have been appended before the loss that ended a generation. */
  private wasBegun (topic: string, number: number, index: number): boolean {
    return (this.started.get(topic)![number - 1] ?? Infinity) <= this.losses[index]!.endedAt
  }

  private note (topic: string, { taken }: Generation, sequence: number, number: number): void {
    const known = taken.get(sequence)
    if (known !== undefined && known !== number) this.violations.push(`${topic}: sequence ${sequence} was given to the numbers ${known} and ${number}`)
    taken.set(sequence, number)
  }
}
