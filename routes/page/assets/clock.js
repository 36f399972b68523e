/**
 * How far the server's clock is ahead of this one. When the server's time arrives it is older, never newer,
 * so each one is a lower bound, and the highest bound is the best. (The Date header has only whole seconds:
 * it gets good when an answer happens to come right after a second began.)
 */
export class Clock {
  #aheadMs = -Infinity

  /** @param {number} serverTime milliseconds since 1970 */
  saw (serverTime) {
    this.#aheadMs = Math.max(this.#aheadMs, serverTime - Date.now())
  }

  /** Milliseconds since a time of the server; undefined while its clock is not known. */
  since (serverTime) {
    return Number.isFinite(this.#aheadMs) ? Math.max(0, Date.now() + this.#aheadMs - serverTime) : undefined
  }
}
