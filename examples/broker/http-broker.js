// A broker over HTTP: what stands between the server and somebody else's interface. The broker of this
// example takes `PUT /orders/<order_id>`, `POST …/cancel` and `POST …/replace`, and writes its events as
// lines of JSON at `GET /events?after=<position>`, for as long as the client reads.
import { BrokerRefusal } from '@tickwire/server'

/**
 * What a broker says no to, for good. It may answer anything else later: 403 once a key is right again, and
 * 409 if it has the order already and only its answer was lost.
 */
const REFUSED = new Set([400, 422])
/** How much of its reason the server shows to the user. */
const MAX_REASON = 256

/**
 * Returns what a line says, or the line itself if it is no JSON: the server counts it, and goes on behind it.
 * @param {string} line
 */
function read (line) {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}

/** @implements {import('@tickwire/server').Broker} */
export class HttpBroker {
  /** @param {string} url */
  constructor (url) {
    this.url = url
  }

  /**
   * The id of the order stands in the path, so that the broker has it once, however often it comes.
   * @param {import('@tickwire/server').BrokerOrder} order
   * @param {AbortSignal} signal
   */
  async submit (order, signal) {
    await this.#ask('PUT', `/orders/${order.order_id}`, order, signal)
  }

  /**
   * @param {import('@tickwire/server').BrokerCancel} request
   * @param {AbortSignal} signal
   */
  async cancel (request, signal) {
    await this.#ask('POST', `/orders/${request.order_id}/cancel`, request, signal)
  }

  /**
   * @param {import('@tickwire/server').BrokerReplace} request
   * @param {AbortSignal} signal
   */
  async replace (request, signal) {
    await this.#ask('POST', `/orders/${request.order_id}/replace`, request, signal)
  }

  /**
   * @param {string | undefined} after
   * @param {AbortSignal} signal
   * @param {() => void} opened
   * @returns {AsyncGenerator<import('@tickwire/server').BrokerEvent, void>}
   */
  async * events (after, signal, opened) {
    const response = await fetch(`${this.url}/events?after=${after ?? 0}`, { signal })
    if (!response.ok || response.body === null) throw new Error(`events: ${response.status}`)
    opened()
    let text = ''
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (text + part).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) yield read(line)
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} body
   * @param {AbortSignal} signal
   */
  async #ask (method, path, body, signal) {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(this.url + path, { method, headers, body: JSON.stringify(body), signal })
    const text = await response.text()
    if (response.ok) return
    if (REFUSED.has(response.status)) throw new BrokerRefusal(text.slice(0, MAX_REASON))
    throw new Error(`${path}: ${response.status} ${text}`)
  }
}
