import { gunzipSync } from 'node:zlib'
import { parseParameters, parseStreamQuery, searchOf } from '@tickwire/protocol'
import type { Message } from '../helpers/clients.js'
import type { Choices } from '../helpers/random.js'
import { type NoAnswer, type RawAnswer, RawHttp } from '../helpers/raw-http.js'
import { FUZZ_ADDRESS, type Ground } from './ground.js'
import { Bodies, type Body } from './input/bodies.js'
import type { Quality } from './input/messages.js'
import { garble, oddText } from './input/odd.js'
import { Queries } from './input/queries.js'
import { judgeMessage, judgePoll, judgeRefusal } from './oracle.js'
import { countBody, countQuery } from './reached.js'

const ANSWER_MS = 20_000
/** A poll that is held for longer is left. */
const HELD_MS = 250
const MOST_OF_A_STREAM = 200_000

type Kind = 'poll' | 'sse' | 'websocket' | 'history' | 'bars' | 'snapshot' | 'symbols' | 'publish' | 'disconnect' | 'wild'
/** How many of a hundred requests are of each kind. */
const SHARES: Readonly<Record<Kind, number>> = {
  poll: 34,
  sse: 9,
  websocket: 8,
  history: 8,
  bars: 4,
  snapshot: 4,
  symbols: 3,
  publish: 24,
  disconnect: 2,
  wild: 4
}
const QUALITIES: ReadonlyArray<readonly [Quality, number]> = [['fitting', 72], ['near', 14], ['garbled', 9], ['noise', 5]]

const PATHS = { poll: '/v1/stream', sse: '/v1/stream', websocket: '/v1/stream', history: '/v1/history', bars: '/v1/bars', snapshot: '/v1/snapshot', symbols: '/v1/symbols' } as const
const KNOWN = {
  history: ['topic', 'after', 'epoch', 'limit'], bars: ['symbol', 'interval', 'from', 'to', 'limit'], snapshot: ['topic'], symbols: ['market', 'sector']
}
const isAboutTopics = (kind: Kind): kind is keyof typeof KNOWN => Object.hasOwn(KNOWN, kind)

const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
const EXTENSIONS = ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; server_max_window_bits=8', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'x-nothing', 'permessage-deflate; a=b; a=b', '"', ';;', 'permessage-deflate, permessage-deflate']
const WILD_PATHS = [
  '/', '/v1/stream/', '/v1//stream', '/V1/STREAM', '/v1/stream%00', '/%', '/%zz', '/v1/%2e%2e/metrics', '/../../etc/passwd', '/healthz', '/readyz', '/docs', '/docs/json', '/page/page.js', '/page/../settings.json', '/page/settings.json', '/page/admin-token', '/page/admin-link', '/v1/admin/sources/simulated/start', '/v1/admin/sources/__proto__/stop', '/v1/admin/sources/%F0%9F%92%A5/stop', '*', 'http://x/v1/stream', '//v1/stream', `/${'a'.repeat(9000)}`, '/v1/history?topic=news#x', '/v1/publish', '/favicon.ico'
]
const METHODS = ['GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'get', 'NOTHING']

const isPlain = (text: string): boolean => !/[\r\n\s\0]/.test(text)

/** Sends one request after another, whatever it is answered. */
export class RequestWorker {
  private readonly http: RawHttp
  private readonly queries: Queries
  private readonly bodies: Bodies

  constructor (
    private readonly random: Choices,
    private readonly ground: Ground,
    private readonly share: number
  ) {
    this.http = new RawHttp(ground.port, FUZZ_ADDRESS)
    this.queries = new Queries(random, ground.world)
    this.bodies = new Bodies(random, ground.world)
  }

  async run (): Promise<void> {
    for (let sent = 0; sent < this.share && !this.ground.over; sent++) {
      await this.ground.pace('request', 1)
      const kind = this.draw(Object.entries(SHARES) as Array<[Kind, number]>)
      const quality = this.draw(QUALITIES)
      if (kind === 'publish' || kind === 'disconnect') await this.post(kind, quality)
      else if (kind === 'wild') await this.wild()
      else await this.get(kind, quality)
    }
    this.http.close()
  }

  private draw<Choice> (shares: ReadonlyArray<readonly [Choice, number]>): Choice {
    let draw = this.random.integer(0, 99)
    for (const [choice, share] of shares) if ((draw -= share) < 0) return choice
    return shares[0]![0]
  }

  // ---- queries

  private async get (kind: keyof typeof PATHS, quality: Quality): Promise<void> {
    const { random, ground: { world, coverage } } = this
    const person = random.pick(world.people)
    const query = isAboutTopics(kind) ? this.queries[kind](quality) : this.queries.stream(quality, person, kind === 'poll' || random.next() < 0.05)
    const headers = [...this.headers(kind, person.token), ...kind === 'websocket' ? this.handshake() : []]
    const bytes = `GET ${PATHS[kind]}?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers.join('\r\n')}${headers.length === 0 ? '' : '\r\n'}\r\n`
    // Whatever spelling it is written in, the protocol's own parser knows what it says.
    const search = (): string => searchOf(`${PATHS[kind]}?${query}`)
    const parsed = isAboutTopics(kind)
      ? attempt(() => ({ known: parseParameters(search(), KNOWN[kind]) }))
      : attempt(() => parseStreamQuery(search()))
    const { wait = 0, decimals } = parsed !== undefined && 'subscribe' in parsed ? parsed : {}
    const held = wait > 0
    const answer = await this.http.send(bytes, held ? HELD_MS : ANSWER_MS, isOpenStream)
    if (!isPlain(query)) this.http.close()
    const passed = parsed !== undefined
    const accepted = typeof answer !== 'string' && (answer.status === 200 || answer.status === 101)
    coverage.input(passed)
    countQuery(coverage, kind, query, passed, accepted)
    for (const header of headers) coverage.count('header', header.slice(0, header.indexOf(':')).toLowerCase(), passed, accepted)
    this.judge(kind, answer, bytes, isPlain(query), held, decimals)
    if (!passed && accepted && isPlain(query)) this.ground.fault(`a query that must be refused got ${answer.status}`, bytes)
  }

  private headers (kind: Kind, token: string): string[] {
    const { random, ground: { world } } = this
    const headers: string[] = []
    const maybe = (share: number, header: () => string): void => {
      if (random.next() < share) headers.push(header())
    }
    maybe(0.35, () => `Authorization: ${random.pick(['Bearer ', 'Bearer ', 'Bearer ', 'bearer  ', 'Basic ', ''])}${random.next() < 0.8 ? token : random.pick(['', 'a.b.c', 'x'.repeat(5000), 'é', '=', token.slice(1)])}`)
    if (kind === 'sse') headers.push(`Accept: ${random.pick(['text/event-stream', 'text/event-stream', 'text/html, text/event-stream;q=0.1', '*/*, text/event-stream'])}`)
    else maybe(0.2, () => `Accept: ${random.pick(['application/json', '*/*', 'text/html', ',,', ''])}`)
    maybe(kind === 'sse' ? 0.3 : 0.05, () => `Last-Event-ID: ${world.cursor(random).replace(/[^\x20-\x7e]/g, '?')}`)
    maybe(0.15, () => `Accept-Encoding: ${random.pick(['gzip', 'gzip;q=0', 'identity', 'br, gzip', '*', 'gzip;q=1.0001', ''])}`)
    maybe(0.15, () => `X-Request-Id: ${random.pick(['a', 'r1', 'x'.repeat(64), 'x'.repeat(65), '__proto__', 'a b', '../..', String(random.integer(0, 1e6))])}`)
    maybe(0.1, () => `Origin: ${random.pick(['http://127.0.0.1', 'http://evil.example', 'null', 'file://', '', 'http://127.0.0.1:1', '\\'])}`)
    maybe(0.05, () => `X-Forwarded-For: ${random.pick(['1.2.3.4', '::1', 'x', '1.2.3.4, 5.6.7.8'])}`)
    return headers
  }

  private handshake (): string[] {
    const { random } = this
    const lines = [...HANDSHAKE]
    if (random.next() < 0.4) lines.push(`Sec-WebSocket-Protocol: ${random.pick(['tickwire.v1.json', 'tickwire.v1.batch', 'nothing, tickwire.v1.json', 'nothing', 'tickwire.v1.json,,', 'tickwire.v1.json,tickwire.v1.json', '"', ''])}`)
    if (random.next() < 0.4) lines.push(`Sec-WebSocket-Extensions: ${random.pick(EXTENSIONS)}`)
    if (random.next() < 0.75) return lines
    // One line of it missing or wrong.
    const at = random.integer(0, HANDSHAKE.length - 1)
    const name = HANDSHAKE[at]!.split(':', 1)[0]!
    lines.splice(at, 1, ...random.next() < 0.3 ? [] : [`${name}: ${random.pick(['', 'h2c', '12', '13, 14', 'short', 'keep-alive', 'Upgrade, Upgrade', 'x'.repeat(500), 'WEBSOCKET'])}`])
    return lines
  }

  // ---- bodies

  private async post (kind: 'publish' | 'disconnect', quality: Quality): Promise<void> {
    const { random, ground: { world, coverage } } = this
    const body = kind === 'publish' ? this.bodies.publish(quality) : this.bodies.disconnect(quality)
    const token = random.next() < 0.93 ? kind === 'publish' ? world.publisher : world.admin : random.pick(world.people).token
    const bytes = this.request(kind === 'publish' ? '/v1/publish' : '/v1/admin/disconnect', token, body)
    const answer = await this.http.send(bytes, ANSWER_MS)
    const passed = typeof answer !== 'string' && (answer.status === 200 || answer.status === 204 || answer.status === 404)
    coverage.input(passed)
    countBody(coverage, kind, body.text, answer, passed)
    this.judge(kind, answer, bytes.toString(), true)
  }

  private request (path: string, token: string, { type, text }: Body): Buffer {
    const { random } = this
    const content = Buffer.from(text)
    const chunked = random.next() < 0.1
    const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`
    const head = Buffer.from(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`)
    if (!chunked) return Buffer.concat([head, content])
    return Buffer.concat([head, ...content.length === 0 ? [] : [Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n')], Buffer.from('0\r\n\r\n')])
  }

  /** Any method, any path; bytes that are nearly a request, or none. */
  private async wild (): Promise<void> {
    const { random, ground: { coverage } } = this
    const method = random.pick(METHODS)
    const plain = `${method} ${random.pick(WILD_PATHS)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`
    const bytes = random.next() < 0.6 ? plain : random.next() < 0.6 ? garble(random, plain) : `${oddText(random)}\r\n\r\n`
    // What is no request may be waited for: the server cannot know that no more will come.
    const answer = await this.http.send(bytes, HELD_MS)
    this.http.close()
    coverage.input(typeof answer !== 'string' && answer.status < 400)
    if (typeof answer === 'string' || method === 'HEAD') return
    const { status, body } = answer
    // Node itself answers a few without a body: no Host, an expectation.
    if (status < 400 || body.length === 0) return
    const wrong = judgeRefusal(status, body.toString())
    if (wrong !== undefined) this.ground.fault(`got ${wrong}`, bytes)
    else coverage.code((JSON.parse(body.toString()) as { code: string }).code)
  }

  // ---- answers

  private judge (kind: Kind, answer: RawAnswer | NoAnswer, input: string, plain: boolean, held = false, decimals: 'string' | 'number' = 'string'): void {
    if (typeof answer === 'string') {
      if (plain && !(answer === 'late' && held)) this.ground.fault(`a ${kind} was ${answer === 'late' ? 'not answered' : 'closed without an answer'}`, input)
      return
    }
    let wrong
    try {
      wrong = this.wrongOf(kind, answer, decimals)
    } catch (error) {
      wrong = `${answer.status} with what cannot be read (${String(error)})`
    }
    if (wrong !== undefined) this.ground.fault(`a ${kind} got ${wrong}`, input)
  }

  private wrongOf (kind: Kind, { status, headers, body }: RawAnswer, decimals: 'string' | 'number'): string | undefined {
    const gzip = headers['content-encoding'] === 'gzip'
    if (status >= 400) {
      if (body.length === 0 && status === 400 && headers['content-type'] === undefined) return undefined
      const wrong = judgeRefusal(status, body.toString())
      if (wrong === undefined) {
        this.ground.coverage.code((JSON.parse(body.toString()) as { code: string }).code)
      }
      return wrong
    }
    if (status === 101 || status === 204) return kind === (status === 101 ? 'websocket' : 'disconnect') ? undefined : `${status}`
    const text = (gzip && kind !== 'sse' ? gunzipSync(body) : body).toString()
    switch (kind) {
      case 'poll':
        this.ground.world.cursors.add((JSON.parse(text) as { cursor: string }).cursor)
        return judgePoll(text, decimals)
      case 'sse': return gzip ? undefined : judgeEvents(text, decimals)
      case 'snapshot': return judgeMessage(JSON.parse(text), 'string')
      case 'history': return (JSON.parse(text) as { messages: Message[] }).messages.map(message => judgeMessage(message, 'string')).find(wrong => wrong !== undefined)
      default: return undefined
    }
  }
}

/** Whether an event stream has said enough; one that is compressed is only known by its head. */
function isOpenStream (text: string): boolean {
  const head = text.slice(0, text.indexOf('\r\n\r\n'))
  if (!/^content-type: text\/event-stream/im.test(head)) return false
  return /^content-encoding: gzip/im.test(head) || text.includes('event: cursor\n') || text.length > MOST_OF_A_STREAM
}

function judgeEvents (text: string, decimals: 'string' | 'number'): string | undefined {
  for (const block of text.split('\n\n').slice(0, -1)) {
    const event = block.replace(/^retry: \d+\n/, '')
    if (!event.startsWith('data: ')) {
      if (!/^event: cursor\nid: (\S+)\ndata: \1$/.test(event)) return `an event that is none: ${JSON.stringify(event)}`
      continue
    }
    const message = JSON.parse(event.slice(6)) as Message
    if (block !== event && !['welcome', 'closing'].includes(message.type)) return 'an event with a `retry:` that is none of its'
    const wrong = judgeMessage(message, decimals)
    if (wrong !== undefined) return `an event that ${wrong}`
  }
  return undefined
}

/** Undefined where it throws. */
function attempt<Value> (parse: () => Value): Value | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
