import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, errorTable, parseStreamQuery, searchOf, type StreamQuery } from '@tickwire/protocol'
import { type Asked, askedByQuery } from '../asked.js'
import type { Transport } from '../setup.js'
import { Failure } from '../watch.js'

/** What a proxy answers in place of the server. */
export const PROXY_PAGE = '<!doctype html><title>proxy</title>'

/** One request for the stream, which nobody has answered yet. */
export class Visit {
  readonly at = performance.now()
  readonly query: StreamQuery
  /** What the query subscribes to. */
  readonly asked: readonly Asked[]
  /** The credential of the request. */
  readonly token: string | undefined
  isGone = false
  /** How the server has refused it. */
  refusal: { readonly code: ErrorCode, readonly retryAfterMs: number | undefined } | undefined

  /**
   * @param socket of an upgrade; undefined for other requests
   * @throws Failure if the server would refuse the URL
   */
  constructor (
    readonly transport: Transport,
    readonly request: IncomingMessage,
    readonly response: ServerResponse | undefined,
    readonly socket: Duplex,
    readonly head: Buffer
  ) {
    this.query = readQuery(request)
    const { subscribe, throttleMs } = this.query
    this.asked = subscribe.flatMap(parameter =>
      askedByQuery({ ...throttleMs === undefined ? {} : { throttleMs }, ...parameter }, this.after))
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    this.token = bearer ?? this.query.token
  }

  /** The position of the request: the header wins over `lastEventId`, and that over `after`. */
  get after (): string | undefined {
    const header = this.request.headers['last-event-id']
    const { lastEventId = '', after } = this.query
    if (this.transport !== 'event-stream') return after
    if (header !== undefined) return String(header).split(',').at(-1)!.trim()
    return lastEventId === '' ? after : lastEventId
  }

  /** Answers with a refusal of the table. */
  refuse (code: ErrorCode, retryAfterMs?: number): void {
    this.refusal = { code, retryAfterMs }
    const { status, message } = errorTable[code]
    const body = { type: 'error', code, message, ...retryFields(retryAfterMs) }
    this.answer(status, 'application/json', JSON.stringify(body), retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) })
  }

  /** Answers, and closes the connection. */
  answer (status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
    const all = { 'content-type': type, 'cache-control': 'no-store', connection: 'close', ...headers }
    if (this.response !== undefined) {
      this.response.writeHead(status, all)
      this.response.end(body)
      return
    }
    const length = { 'content-length': String(Buffer.byteLength(body)) }
    const lines = Object.entries({ ...all, ...length }).map(([name, value]) => `${name}: ${value}`)
    this.socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
  }
}

export const retryFields = (retryAfterMs: number | undefined): { retry_after_ms?: number } =>
  retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }

/** Reads the query as the server does. @throws Failure */
export function readQuery (request: IncomingMessage): StreamQuery {
  try {
    return parseStreamQuery(searchOf(request.url!))
  } catch (error) {
    throw new Failure(`it asks for ${request.url}, which the server refuses: ${(error as Error).message}`)
  }
}
