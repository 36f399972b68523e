import { TokenBucket } from './token-bucket.js'

/** Messages that may be sent at once, in seconds' worth of them. */
const BURST_SECONDS = 2
/** Messages that may be refused, in seconds' worth of those that are allowed; they are forgiven at the same rate. */
const PATIENCE_SECONDS = 10

/**
 * How many messages one client may send (PROTOCOL.md, Limits), and how long one that sends more is answered. Who sends less than
 * twice what is allowed may go on for ever; who floods is at its end within the patience, so that what is read of it is bounded.
 */
export class MessageRate {
  private readonly allowed: TokenBucket
  private readonly patience: TokenBucket

  /** @param now milliseconds, of any clock */
  constructor (perSecond: number, now: number) {
    this.allowed = new TokenBucket(perSecond, perSecond * BURST_SECONDS, now)
    this.patience = new TokenBucket(perSecond, perSecond * PATIENCE_SECONDS, now)
  }

  /** @returns 0 where a message may be performed, else the milliseconds until one may; undefined where the patience is at its end */
  take (now: number): number | undefined {
    const waitMs = this.allowed.take(now)
    if (waitMs === 0) return 0
    return this.patience.take(now) === 0 ? waitMs : undefined
  }
}
