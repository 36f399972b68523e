import { request } from 'undici'
import { withDeadline } from '../../deadline.js'
import { wordsOf } from '../../errors.js'
import type { Clock } from './clock.js'

/** What a venue answered to a request. */
export interface RestAnswer {
  readonly url: URL
  readonly status: number
  readonly body: string
}

/** Gets a URL. @throws if there is no answer in time, or it is too long */
export type HttpGet = (
  url: URL, signal: AbortSignal
) => Promise<RestAnswer & { readonly retryAfter?: string }>

/** How much a venue answers: so much weight may be spent at once, and comes back in a time. */
export interface RestBudget {
  readonly weight: number
  readonly perMs: number
}

/** Returns an address as it is logged: its query may hold a key of the operator. */
export const shownAddress = ({ origin, pathname }: URL): string => origin + pathname

const DEADLINE_MS = 10_000
/** A snapshot of a thousand levels has about 60 KB; a list of all products of a venue, 1 MB. */
const MAX_BODY_BYTES = 8 * 1024 * 1024
/** The most requests that wait for their turn. */
const MAX_WAITING = 1000
/** The wait after a refusal that names none, and the longest that is kept to. */
const DEFAULT_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3 * 24 * 3_600_000

export const httpGet: HttpGet = async (url, signal) =>
  await withDeadline(signal, DEADLINE_MS, async inTime => {
    const { statusCode, headers, body } = await request(url, { signal: inTime })
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of body as AsyncIterable<Buffer>) {
      bytes += part.length
      // Leaving the loop destroys the body.
      if (bytes > MAX_BODY_BYTES) throw new Error(`the answer has more than ${MAX_BODY_BYTES} bytes`)
      parts.push(part)
    }
    const retryAfter = headers['retry-after']
    return {
      url,
      status: statusCode,
      body: Buffer.concat(parts).toString('utf8'),
      ...(typeof retryAfter === 'string' ? { retryAfter } : {})
    }
  })

/** What was asked of a venue, which counts on when the source starts anew. */
export class RestAccount {
  /** The weight that is spent and has not come back, and when that was so. */
  spent = 0
  spentAt = 0
  /** Until when nothing is asked. */
  pausedUntil = 0
}

/**
 * Asks a venue over HTTP, one request after another, within what the venue answers. If the venue says that it
 * was asked too much, nothing more is asked for as long as it says.
 */
export class Rest {
  private waiting = 0
  private turn: Promise<unknown> = Promise.resolve()

  constructor (
    private readonly base: string,
    private readonly budget: RestBudget,
    private readonly account: RestAccount,
    private readonly clock: Clock,
    private readonly get: HttpGet,
    private readonly signal: AbortSignal
  ) {}

  /**
   * @param path with its query, below the venue's address
   * @param isWanted tells, when its turn has come, whether somebody still waits for the answer
   * @returns any answer except that the venue was asked too much
   * @throws Error that says what went wrong
   */
  async ask (path: string, weight: number, isWanted = (): boolean => true): Promise<RestAnswer> {
    if (this.waiting >= MAX_WAITING) throw new Error('too many requests wait already')
    this.waiting++
    const turn = this.turn.then(() => this.askNow(path, weight, isWanted))
    this.turn = turn.catch(() => {})
    try {
      return await turn
    } finally {
      this.waiting--
    }
  }

  private async askNow (path: string, weight: number, isWanted: () => boolean): Promise<RestAnswer> {
    await this.afford(weight, isWanted)
    this.signal.throwIfAborted()
    const url = new URL(this.base + path)
    let answer
    try {
      answer = await this.get(url, this.signal)
    } catch (error) {
      throw new Error(`GET ${shownAddress(url)}: ${wordsOf(error)}`, { cause: error })
    }
    if (answer.status !== 429 && answer.status !== 418) return answer
    const pauseMs = pauseOf(answer.retryAfter, this.clock.time())
    this.account.pausedUntil = this.clock.now() + pauseMs
    throw new Error(`GET ${shownAddress(url)}: ${answer.status}, the venue was asked too much; ` +
      `the server asks nothing more for ${pauseMs / 1000} s`)
  }

  /**
   * Waits until the venue takes one more request of that weight.
   * @throws if nobody wants its answer any more
   */
  private async afford (weight: number, isWanted: () => boolean): Promise<void> {
    const { account, budget } = this
    while (!this.signal.aborted) {
      if (!isWanted()) throw new Error('nobody waits for the answer any more')
      const now = this.clock.now()
      account.spent = Math.max(0, account.spent - (now - account.spentAt) / budget.perMs * budget.weight)
      account.spentAt = now
      const excess = account.spent + weight - budget.weight
      const waitMs = Math.max(account.pausedUntil - now, excess / budget.weight * budget.perMs)
      if (waitMs <= 0) break
      await this.pause(waitMs)
    }
    account.spent += weight
  }

  private async pause (milliseconds: number): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        this.signal.removeEventListener('abort', done)
        cancel()
        resolve()
      }
      const cancel = this.clock.after(milliseconds, done)
      this.signal.addEventListener('abort', done)
    })
  }
}

/** Reads `Retry-After`: seconds, or a date. */
function pauseOf (retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return DEFAULT_PAUSE_MS
  const milliseconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now
  return Number.isNaN(milliseconds) ? DEFAULT_PAUSE_MS : Math.min(Math.max(milliseconds, 0), LONGEST_PAUSE_MS)
}
