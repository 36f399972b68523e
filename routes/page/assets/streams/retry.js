const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS = 4000
const JITTER_MS = 250

/** WebSocket close codes and HTTP statuses of PROTOCOL.md's table after which trying again cannot help. */
const FINAL = new Set([1009, 4400, 4401, 4403, 4404, 4409, 4413, 413, 400, 401, 403, 404, 409])

/** A limit was reached. If waiting helps, the answer says for how long. */
const TOO_MANY = 429

/**
 * Decides when to connect again: when the server says so, else later each time, and never in step with other
 * clients.
 */
export class Retry {
  #failures = 0

  /** Notes that a connection succeeded: the next failure counts as the first. */
  succeeded () {
    this.#failures = 0
  }

  /**
   * Returns the wait before the next attempt.
   * @param {number | undefined} code of the close, or status of the answer; undefined if there was none
   * @param {number} [retryAfterMs] what the server asked for
   * @returns {number | undefined} milliseconds to wait; undefined: stop
   */
  after (code, retryAfterMs) {
    if (FINAL.has(code) || (code === TOO_MANY && retryAfterMs === undefined)) return undefined
    if (retryAfterMs !== undefined) return retryAfterMs + Math.random() * JITTER_MS
    return Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++) * (0.5 + Math.random() / 2)
  }
}
