/**
 * Honest clients in a process of their own, so that what is done to the server beside them does not disturb
 * their clock: one publishes at a steady rate, the others read all of it on each kind of stream. Asked by
 * `neighbours.ts`.
 */
import { performance } from 'node:perf_hooks'
import { ClientRule } from '@tickwire/protocol'
import { until } from '../helpers/clients.js'
import type { Message, TransportName } from '../helpers/wires.js'
import { type Approach, FleetClient } from './client.js'
import { Fleet } from './fleet.js'
import { latenciesOf } from './latencies.js'
import type { NeighbourProcessOptions, Question, Verdict } from './neighbours.js'
import { PATIENT_MS, publishTo } from './publish.js'

const TRANSPORTS: readonly TransportName[] = ['ws-json', 'ws-batch', 'sse']
const STEP_MS = 40
const SETTLE_MS = 20_000
const SHOWN = 20

const { origin, token, topics, rate } = JSON.parse(process.argv[2] ?? '{}') as NeighbourProcessOptions
const symbols = Array.from({ length: topics }, (_, index) => `H${index}`)

const faults: string[] = []
let latencies: number[] = []

function fault (text: string): void {
  if (faults.length < SHOWN) faults.push(text)
}

/** A client that must receive every message once, in order, without reconnecting. */
class Reader extends FleetClient {
  readonly last = new Map<string, number>()
  private readonly rule = new ClientRule()

  constructor (readonly transport: TransportName) {
    super()
  }

  protected approach (): Approach {
    const query = `subscribe=trades:${symbols.join(',')}`
    return { transport: this.transport, origin, query, compressed: false, pollPauseMs: 0 }
  }

  protected take (message: Message): void {
    const { type, symbol, sequence, data } = message
    const verdict = this.rule.take(message)
    if (type === 'closing' || type === 'error' || type === 'lagging' || verdict === 'reset') {
      fault(`${this.transport}: was told ${JSON.stringify(message)}`)
    }
    if (verdict === 'control' || verdict === 'reset') return
    const last = this.last.get(symbol!) ?? 0
    if (verdict !== 'new' || sequence !== last + 1) {
      fault(`${this.transport}: ${symbol}: ${sequence} came after ${last} (${verdict})`)
    }
    this.last.set(symbol!, sequence!)
    latencies.push(performance.now() - Number((data as { trade_id: string }).trade_id))
  }

  protected override mark (cursor: string): void {
    super.mark(cursor)
    this.rule.cursor()
  }

  protected override refused (reason: string): void {
    fault(`${this.transport}: was refused: ${reason}`)
  }

  protected lost (): void {
    fault(`${this.transport}: its connection ended`)
    this.detach()
  }
}

/** Publishes at its rate without waiting for answers, so that a slow server gets no less load. */
class Writer {
  readonly last = new Map<string, number>()
  published = 0
  waiting = 0
  private readonly began = performance.now()
  private due = 0
  private readonly timer = setInterval(() => { this.publishDue() }, STEP_MS)

  stop (): void {
    clearInterval(this.timer)
  }

  private publishDue (): void {
    const now = performance.now()
    const due: string[] = []
    for (; this.due < (now - this.began) * rate / 1000; this.due++) {
      due.push(symbols[this.due % symbols.length]!)
    }
    if (due.length > 0) void this.publish(due, now)
  }

  /** @param at when it was due */
  private async publish (due: readonly string[], at: number): Promise<void> {
    const trade = { price: '1', size: '1', timestamp: new Date().toISOString(), trade_id: String(at) }
    const items = due.map(symbol => ({ channel: 'trades', symbol, data: { symbol, ...trade } }))
    this.waiting++
    try {
      const answer = await publishTo(origin, token, items, PATIENT_MS)
      due.forEach((symbol, index) => { this.note(symbol, answer.sequences?.[index] ?? undefined, answer) })
    } catch (error) {
      fault(`a publish failed: ${String(error)}`)
    } finally {
      this.waiting--
    }
  }

  private note (symbol: string, sequence: number | undefined, answer: object): void {
    if (sequence === undefined) return fault(`a publish was refused: ${JSON.stringify(answer)}`)
    this.published++
    this.last.set(symbol, Math.max(this.last.get(symbol) ?? 0, sequence))
  }
}

const readers = new Fleet(TRANSPORTS.map(transport => new Reader(transport)))
await readers.open()
await until('the neighbours are there', () => readers.connected === TRANSPORTS.length || faults.length > 0)
const writer = new Writer()

/** Checks that every reader has every published message and no other. */
async function finish (): Promise<Verdict> {
  writer.stop()
  const hasAll = ({ last }: Reader): boolean =>
    [...writer.last].every(([symbol, sequence]) => (last.get(symbol) ?? 0) >= sequence)
  const isOver = (): boolean => writer.waiting === 0 && readers.clients.every(hasAll)
  await until('all is there', isOver, SETTLE_MS).catch(() => {})
  for (const { transport, last } of readers.clients) {
    for (const symbol of symbols) {
      const [has, of] = [last.get(symbol), writer.last.get(symbol)]
      if (has !== of) fault(`${transport}: ${symbol}: has ${has} of ${of}`)
    }
  }
  readers.close()
  return { published: writer.published, readers: readers.clients.length, faults }
}

/** The figures since it was called last. */
function phase (): ReturnType<typeof latenciesOf> {
  const figures = latenciesOf(latencies)
  latencies = []
  return figures
}

async function answer ({ id, ask }: Question): Promise<void> {
  process.send?.({ id, answer: ask === 'phase' ? phase() : await finish() })
}

process.on('message', (question: Question) => { void answer(question) })
process.on('disconnect', () => { process.exit(0) })
process.send?.({ id: 0, answer: undefined })
