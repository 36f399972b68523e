/**
 * Honest clients in a process of their own, so that what is done to the server beside them does not disturb their clock: one
 * publishes at a steady rate, the others read all of it on each kind of stream. Asked by `neighbours.ts`.
 */
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { ClientRule } from '@tickwire/protocol'
import { type Client, type Message, openClient, type TransportName, until } from '../helpers/clients.js'
import type { NeighbourOptions, Phase, Question, Verdict } from './neighbours.js'

const TRANSPORTS: readonly TransportName[] = ['ws-json', 'ws-batch', 'sse']
const STEP_MS = 40
const SETTLE_MS = 20_000
const SHOWN = 20

const { origin, token, topics, rate } = JSON.parse(process.argv[2] ?? '{}') as NeighbourOptions
const symbols = Array.from({ length: topics }, (_, index) => `H${index}`)
const query = `subscribe=trades:${symbols.join(',')}`

const faults: string[] = []
let latencies: number[] = []

function fault (text: string): void {
  if (faults.length < SHOWN) faults.push(text)
}

/** One that reads: what comes must be each message, once, in order. */
class Reader {
  readonly last = new Map<string, number>()
  settled = false
  private readonly rule = new ClientRule()
  private readonly client: Client
  private leaves = false

  constructor (readonly transport: TransportName) {
    this.client = openClient(transport, origin, query, undefined, {
      onMessage: message => { this.take(message) },
      onCursor: () => {
        this.settled = true
        this.rule.cursor()
      }
    }, 1, false)
    this.client.ended.then(() => {
      if (!this.leaves) fault(`${transport}: its connection ended`)
    }, (error: unknown) => { fault(`${transport}: ${String(error)}`) })
  }

  leave (): void {
    this.leaves = true
    this.client.cut()
  }

  private take (message: Message): void {
    const { type, symbol, sequence, data } = message
    const verdict = this.rule.take(message)
    if (type === 'closing' || type === 'error' || type === 'lagging' || verdict === 'reset') fault(`${this.transport}: was told ${JSON.stringify(message)}`)
    if (verdict === 'control' || verdict === 'reset') return
    const last = this.last.get(symbol!) ?? 0
    if (verdict !== 'new' || sequence !== last + 1) fault(`${this.transport}: ${symbol}: ${sequence} came after ${last} (${verdict})`)
    this.last.set(symbol!, sequence!)
    latencies.push(performance.now() - Number((data as { trade_id: string }).trade_id))
  }
}

/** Publishes whether or not what it published before has been answered: a server that is slow must not be asked less. */
class Writer {
  readonly last = new Map<string, number>()
  published = 0
  waiting = 0
  private readonly agent = new Agent({ keepAlive: true })
  private readonly began = performance.now()
  private due = 0
  private readonly timer = setInterval(() => { this.publishDue() }, STEP_MS)

  stop (): void {
    clearInterval(this.timer)
  }

  private publishDue (): void {
    const now = performance.now()
    const items: object[] = []
    for (; this.due < (now - this.began) * rate / 1000; this.due++) {
      const symbol = symbols[this.due % symbols.length]!
      items.push({ channel: 'trades', symbol, data: { symbol, price: '1', size: '1', timestamp: new Date().toISOString(), trade_id: String(now) } })
    }
    if (items.length > 0) this.post(items)
  }

  private post (items: readonly object[]): void {
    this.waiting++
    const post = request(`${origin}/v1/publish`, { method: 'POST', agent: this.agent, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } })
    post.on('response', response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => {
        this.waiting--
        this.answered(items as ReadonlyArray<{ symbol: string }>, text)
      })
    })
    post.on('error', error => {
      this.waiting--
      fault(`a publish failed: ${error.message}`)
    })
    post.end(JSON.stringify(items))
  }

  private answered (items: ReadonlyArray<{ symbol: string }>, text: string): void {
    const { sequences } = JSON.parse(text) as { sequences?: Array<number | null> }
    if (sequences === undefined) return fault(`a publish was refused: ${text}`)
    for (const [index, sequence] of sequences.entries()) {
      if (sequence === null) return fault(`a publish was refused: ${text}`)
      const { symbol } = items[index]!
      this.published++
      this.last.set(symbol, Math.max(this.last.get(symbol) ?? 0, sequence))
    }
  }
}

/** The figures since it was called last. */
function phase (): Phase {
  const sorted = latencies.sort((a, b) => a - b)
  latencies = []
  const at = (share: number): number => Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(2))
  return { delivered: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

const readers = TRANSPORTS.map(transport => new Reader(transport))
await until('the neighbours are there', () => readers.every(({ settled }) => settled) || faults.length > 0)
const writer = new Writer()

/** All that was published must be with all, and nothing else. */
async function finish (): Promise<Verdict> {
  writer.stop()
  const all = (): boolean => writer.waiting === 0 && readers.every(({ last }) => [...writer.last].every(([symbol, sequence]) => (last.get(symbol) ?? 0) >= sequence))
  await until('all is there', all, SETTLE_MS).catch(() => {})
  for (const { transport, last } of readers) {
    for (const symbol of symbols) if (last.get(symbol) !== writer.last.get(symbol)) fault(`${transport}: ${symbol}: has ${last.get(symbol)} of ${writer.last.get(symbol)}`)
  }
  for (const reader of readers) reader.leave()
  return { published: writer.published, readers: readers.length, faults }
}

process.on('message', (question: Question) => {
  void (async () => { process.send?.({ id: question.id, answer: question.ask === 'phase' ? phase() : await finish() }) })()
})
process.on('disconnect', () => { process.exit(0) })
process.send?.({ id: 0, answer: undefined })
