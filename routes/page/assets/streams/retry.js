const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS = 4000
const JITTER_MS = 250

/** Codes of PROTOCOL.md's table after which trying again cannot help, as WebSocket close codes and HTTP statuses. */
const FINAL = new Set([1009, 4400, 4401, 4403, 4404, 4409, 4413, 413, 400, 401, 403, 404, 409])

/** A limit: one that waiting lifts says for how long. */
const TOO_MANY = 429

/** When to connect again: as the server says, else later each time, and never in step with other clients. */
export class Retry {
  #failures = 0

  /** It went well: the next failure is the first again. */
  succeeded () {
    this.#failures = 0
  }

  /**
   * @param {number | undefined} code of the close, or status of the answer; undefined where there was none
   * @param {number} [retryAfterMs] what the server asked for
   * @returns {number | undefined} milliseconds to wait; undefined: stop
   */
  after (code, retryAfterMs) {
    if (FINAL.has(code) || (code === TOO_MANY && retryAfterMs === undefined)) return undefined
    if (retryAfterMs !== undefined) return retryAfterMs + Math.random() * JITTER_MS
    return Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++) * (0.5 + Math.random() / 2)
  }
}
