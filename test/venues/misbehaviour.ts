import { Choices } from '../helpers/random.js'

/** What may happen to a frame on its way. */
const frameHarms = [
  'drop', 'double', 'swap', 'broken text', 'wrong type', 'binary', 'cut', 'cut in a frame', 'half-close',
  'silence', 'shutdown'
] as const
export type FrameHarm = typeof frameHarms[number]

/** What may happen to a handshake. */
const upgradeHarms = ['429', '503', 'slow accept', 'no accept'] as const
export type UpgradeHarm = typeof upgradeHarms[number]

/** What may happen to a request. */
const requestHarms = ['429', '503', 'slow', 'no answer', 'cut', 'garbage', 'old'] as const
export type RequestHarm = typeof requestHarms[number]

export type Harm = FrameHarm | UpgradeHarm | RequestHarm

export const harms: readonly Harm[] = [...new Set([...frameHarms, ...upgradeHarms, ...requestHarms])]

/** How often each comes beside the others. */
const WEIGHTS: Readonly<Record<FrameHarm, number>> = {
  drop: 6,
  double: 5,
  swap: 5,
  'broken text': 2,
  'wrong type': 2,
  binary: 1,
  cut: 1,
  'cut in a frame': 1,
  'half-close': 1,
  silence: 1,
  shutdown: 1
}

export interface MisbehaviourOptions {
  readonly seed: number
  /** How many frames in a thousand are harmed. */
  readonly perMille: number
  /** Which harms there are; absent: all. */
  readonly only?: readonly Harm[] | undefined
}

/**
 * Decides what goes wrong, by a seed. The frames of a symbol have choices of their own, so that the same
 * frames are harmed however the symbols take turns. It stops for good when it is told to be calm.
 */
export class Misbehaviour {
  /** How often each harm was done. */
  readonly done = new Map<Harm, number>()
  /** The symbols of which a frame was harmed, by the venue's spelling. */
  readonly harmed = new Set<string>()
  private isCalm = false
  private readonly byPair = new Map<string, Choices>()
  private readonly choices: Choices
  private readonly bag: readonly FrameHarm[]

  constructor (private readonly options: MisbehaviourOptions) {
    this.choices = new Choices(options.seed)
    this.bag = frameHarms.filter(harm => this.isAllowed(harm))
      .flatMap(harm => Array<FrameHarm>(WEIGHTS[harm]).fill(harm))
  }

  /** From here on the venue behaves. */
  calm (): void {
    this.isCalm = true
  }

  frame (pair: string): FrameHarm | undefined {
    if (this.isCalm || this.bag.length === 0) return undefined
    const choices = this.byPair.get(pair) ?? new Choices(this.options.seed * 31 + this.byPair.size + 1)
    this.byPair.set(pair, choices)
    if (choices.next() * 1000 >= this.options.perMille) return undefined
    const harm = choices.pick(this.bag)
    this.harmed.add(pair)
    return this.note(harm)
  }

  /** A third of the handshakes fail, so that a client that comes back often gets through. */
  upgrade (): UpgradeHarm | undefined {
    return this.sometimes(upgradeHarms)
  }

  request (): RequestHarm | undefined {
    return this.sometimes(requestHarms)
  }

  /** A whole number below a bound. */
  below (bound: number): number {
    return this.choices.integer(0, bound - 1)
  }

  private sometimes<Kind extends Harm> (harms: readonly Kind[]): Kind | undefined {
    const allowed = harms.filter(harm => this.isAllowed(harm))
    const isGood = this.isCalm || allowed.length === 0 || this.options.perMille === 0
    return isGood || this.choices.next() >= 1 / 3 ? undefined : this.note(this.choices.pick(allowed))
  }

  private isAllowed (harm: Harm): boolean {
    return this.options.only === undefined || this.options.only.includes(harm)
  }

  private note<Kind extends Harm> (harm: Kind): Kind {
    this.done.set(harm, (this.done.get(harm) ?? 0) + 1)
    return harm
  }
}
