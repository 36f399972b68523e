import type { ErrorCode } from '@tickwire/protocol/error-policies'
import type { Client } from '../client.js'
import { policyOf, waitAfter } from '../retry.js'
import { refusalOf } from '../transports/refusals.js'

/** Why an action did not take effect, or may not have. */
export class ActionError extends Error {
  override readonly name = 'ActionError'

  /**
   * @param code of the table of errors; `expired`: the server could not be asked in time, and nobody knows
   *   whether it took the action; `too_many`: too many actions wait
   */
  constructor (readonly code: ErrorCode | 'expired' | 'too_many', message: string) {
    super(message)
  }
}

/** What one action sends. It is made anew for each attempt, because a signature lasts for seconds only. */
export type MakeRequest = () => Promise<{ readonly path: string, readonly init: RequestInit }>

interface Queued {
  readonly make: MakeRequest
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: ActionError) => void
}

/**
 * Sends actions one after another, in the order in which they were given, and each until the server has
 * answered it. Repeating one changes nothing: each has a name that the server knows it by.
 */
export class ActionQueue {
  readonly #client: Client
  readonly #most: number
  readonly #waiting: Queued[] = []
  #isSending = false
  #wake: (() => void) | undefined

  /** @param most how many actions may wait */
  constructor (client: Client, most: number) {
    this.#client = client
    this.#most = most
  }

  /** How many actions wait for their answer. */
  get length (): number {
    return this.#waiting.length
  }

  /**
   * @param expiresInMs for how long to try
   * @returns the server's answer
   * @throws ActionError
   */
  async add (make: MakeRequest, expiresInMs: number): Promise<unknown> {
    if (this.#waiting.length >= this.#most) {
      throw new ActionError('too_many', `${this.#most} actions wait already; the server cannot be reached`)
    }
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ make, expiresAt: Date.now() + expiresInMs, resolve, reject })
      if (!this.#isSending) void this.#send()
    })
  }

  /** Tries at once what waits for its next attempt, such as when the connection is back. */
  wake (): void {
    this.#wake?.()
  }

  async #send (): Promise<void> {
    this.#isSending = true
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      await this.#settle(next)
      this.#waiting.shift()
    }
    this.#isSending = false
  }

  async #settle (action: Queued): Promise<void> {
    for (let failures = 0; ; failures++) {
      if (Date.now() >= action.expiresAt) {
        return action.reject(new ActionError('expired', 'the server did not answer in time; nobody knows ' +
          'whether it took the action, and what the stream says of it is right'))
      }
      let wait = waitAfter({ reason: '' }, failures, Math.random)
      try {
        const { path, init } = await action.make()
        const response = await this.#client.fetch(path, init)
        if (response.ok) return action.resolve(response.status === 204 ? undefined : await response.json())
        const end = await refusalOf(response)
        // A token that has just expired: the next attempt asks for another one.
        const isFinal = policyOf(end) === 'stop' || (policyOf(end) === 'renew' && failures > 0)
        if (isFinal) return action.reject(new ActionError(end.code!, end.reason))
        wait = waitAfter(end, failures, Math.random)
      } catch (error) {
        // Without a network, the action waits; what makes the request may throw for good.
        if (!(error instanceof TypeError)) {
          return action.reject(error as ActionError)
        }
      }
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, Math.max(0, Math.min(wait, action.expiresAt - Date.now())))
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
  }
}
