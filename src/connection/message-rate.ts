import { TokenBucket } from './token-bucket.js'

/** How many messages a client may send at once, in seconds of its rate. */
const BURST_SECONDS = 2
/**
 * How many messages the server refuses before it closes the connection, in seconds of the rate that is
 * allowed. Refusals are forgiven at that same rate.
 */
const PATIENCE_SECONDS = 10

/**
 * Limits how many messages one client may send (PROTOCOL.md, Limits), and for how long the server answers a
 * client that sends more. A client that sends less than twice the allowed rate may go on for ever. A client
 * that floods uses up the patience, so the server reads only a bounded amount from it.
 */
export class MessageRate {
  private readonly allowed: TokenBucket
  private readonly patience: TokenBucket

  /** @param now milliseconds of any clock */
  constructor (perSecond: number, now: number) {
    this.allowed = new TokenBucket(perSecond, perSecond * BURST_SECONDS, now)
    this.patience = new TokenBucket(perSecond, perSecond * PATIENCE_SECONDS, now)
  }

  /**
   * Counts one message.
   * @returns 0 if the message may be performed, otherwise the milliseconds until one may; undefined if the
   *   patience is used up
   */
  take (now: number): number | undefined {
    const waitMs = this.allowed.take(now)
    if (waitMs === 0) return 0
    return this.patience.take(now) === 0 ? waitMs : undefined
  }
}
