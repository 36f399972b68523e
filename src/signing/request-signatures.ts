import { createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { instantMs, ProtocolError, requestText, Timestamp } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import type { OrderKey } from '../auth/order-key.js'
import { publicKeyOf } from './order-keys.js'

/** How far the clock of a user may be ahead, in milliseconds. */
const AHEAD_MS = 1000

const timeCheck = TypeCompiler.Compile(Timestamp())

export interface RequestSignaturesOptions {
  /** Whether every request must be signed (`ORDER_SIGNING`); if not, those of users with an `order_key`. */
  readonly required: boolean
  /** How old a request may be when it first comes, in milliseconds (`ORDER_WINDOW_MS`). */
  readonly windowMs: number
  /** The keys of users, by `kid` (`ORDER_KEYS`). */
  readonly keys: ReadonlyMap<string, KeyObject>
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** What {@link RequestSignatures.verify} found out about a genuine request. */
export interface Verified {
  /**
   * The request is too old to be taken. If it repeats one that was taken, it is answered as that one was, at
   * any age; the caller knows which were, and refuses others with `bad_request`.
   */
  readonly isLate: boolean
}

/**
 * Verifies the signatures of requests for orders (PROTOCOL.md, Signing). It remembers no signature: a request
 * that comes twice has the idempotency key of the first, for which the log takes it once for longer than
 * `windowMs`.
 */
export class RequestSignatures {
  private readonly now: () => number

  constructor (private readonly options: RequestSignaturesOptions) {
    this.now = options.now ?? Date.now
  }

  /**
   * Verifies a request, which has passed the check of its form.
   * @param message the request as it would come over WebSocket
   * @throws ProtocolError `forbidden`: it is not signed though it must be, or not by the user's key;
   *   `bad_request`: it has no time, or one that is still to come
   */
  async verify (
    { orderKey }: Pick<Identity, 'orderKey'>, action: string, message: Readonly<Record<string, unknown>>
  ): Promise<Verified> {
    const { signature, timestamp } = message
    if (orderKey === undefined && signature === undefined && !this.options.required) return { isLate: false }
    const key = this.keyOf(orderKey)
    if (typeof signature !== 'string') throw new ProtocolError('forbidden', 'the request must be signed')
    if (!await isSignature(signature, requestText(action, message), key)) {
      throw new ProtocolError('forbidden', 'the signature is not that of the request by the key of the token')
    }
    if (!timeCheck.Check(timestamp)) {
      throw new ProtocolError('bad_request', "a signed request needs a 'timestamp': ISO 8601 with a zone")
    }
    const age = this.now() - instantMs(timestamp)
    if (age < -AHEAD_MS) {
      throw new ProtocolError('bad_request', "the 'timestamp' is still to come: " +
        `a clock may be at most ${AHEAD_MS} ms ahead of the server's`)
    }
    return { isLate: age > this.options.windowMs }
  }

  /** @throws ProtocolError `forbidden` */
  private keyOf (orderKey: OrderKey | undefined): KeyObject {
    if (orderKey === undefined) {
      const message = 'the token has no order_key, with which the server could verify a signature'
      throw new ProtocolError('forbidden', message)
    }
    const key = typeof orderKey === 'string' ? this.options.keys.get(orderKey) : publicKeyOf(orderKey)
    if (key !== undefined) return key
    throw new ProtocolError('forbidden', 'the order_key of the token is not among the keys of this server')
  }
}

/**
 * Returns whether a signature, as base64url without padding, is that of a text. Only the one spelling of its
 * bytes is taken, as by clients.
 */
async function isSignature (signature: string, text: string, key: KeyObject): Promise<boolean> {
  const data = Buffer.from(text)
  if (key.type === 'secret') {
    const expected = Buffer.from(createHmac('sha256', key).update(data).digest('base64url'))
    const given = Buffer.from(signature)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
  const bytes = Buffer.from(signature, 'base64url')
  if (bytes.toString('base64url') !== signature) return false
  // OpenSSL verifies on another thread, because this one delivers the messages of all clients.
  return await new Promise((resolve, reject) => {
    verify(null, data, key, bytes, (error, isValid) => {
      if (error === null) resolve(isValid)
      else reject(error)
    })
  })
}
