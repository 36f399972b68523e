/**
 * How far the server's clock is ahead of this one. What a server says of its time is older when it arrives, never
 * newer, so each saying is a lower bound; the highest is the best. (The Date header has whole seconds only: it gets
 * good when an answer happens to come right after a second began.)
 */
export class Clock {
  #aheadMs = -Infinity

  /** @param {number} serverTime milliseconds since 1970 */
  saw (serverTime) {
    this.#aheadMs = Math.max(this.#aheadMs, serverTime - Date.now())
  }

  /** Milliseconds since a time of the server; undefined as long as nothing is known of its clock. */
  since (serverTime) {
    return Number.isFinite(this.#aheadMs) ? Math.max(0, Date.now() + this.#aheadMs - serverTime) : undefined
  }
}
