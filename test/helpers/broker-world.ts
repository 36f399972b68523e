import { setTimeout as delay } from 'node:timers/promises'
import { type Channels, type Command, type Order, ProtocolError, standardChannels, topicKey } from '@tickwire/protocol'
import { brokerEvents } from '../../src/brokers/channels.js'
import { exchangeChannels } from '../../src/exchange.js'
import { type Broker, type BrokerEvent, BrokerRefusal } from '../../src/index.js'
import type { Fence } from '../../src/log/log.js'
import { BrokerSource } from '../../src/processors/broker-trading/broker-source.js'
import { brokerTrading } from '../../src/processors/broker-trading/broker-trading.js'
import type { JournalProcessor } from '../../src/processors/processor.js'
import { JournalWorld, type JournalWorldOptions } from './journal-world.js'
import { MadeBroker } from './made-broker.js'
import { paperRules } from './paper-desk.js'
import type { Choices } from './random.js'
import { silentLogger } from './silent-logger.js'
import { Succession } from './succession.js'

function channelsWith (messages: number): Channels {
  const retained = { ...brokerEvents, retention: { ...brokerEvents.retention, messages } }
  const made = exchangeChannels.map(one => one === brokerEvents ? retained : one)
  return new Map([...standardChannels, ...made.map(one => [one.name, one] as const)])
}
const EVENT_MS = 1

/** Calls of a broker, each of which may be lost, or its answer, and events that come again. */
class FlakyCalls implements Broker {
  constructor (readonly made: MadeBroker, private readonly random: Choices, public failures: number) {}

  submit: Broker['submit'] = async order => { await this.call('submit', order.order_id, order) }
  cancel: Broker['cancel'] = async request => { await this.call('cancel', request.order_id, request) }
  replace: Broker['replace'] = async request => { await this.call('replace', request.order_id, request) }

  async * events (
    after: string | undefined, signal: AbortSignal, opened: () => void
  ): AsyncGenerator<BrokerEvent> {
    let from = Math.max(0, Number(after ?? 0) - this.random.integer(0, 5))
    await this.mayFail()
    opened()
    while (!signal.aborted) {
      const event = this.made.events[from]
      if (event === undefined) await delay(EVENT_MS)
      else {
        if (this.random.next() < this.failures / 5) throw new Error('the events were cut')
        yield event
        from++
      }
    }
  }

  private async call (action: string, id: string, body: object): Promise<void> {
    await this.mayFail()
    const refusal = this.made.perform(action, id, body)
    await this.mayFail()
    if (refusal !== undefined) throw new BrokerRefusal(refusal)
  }

  private async mayFail (): Promise<void> {
    await delay(this.random.integer(0, 2))
    if (this.random.next() < this.failures) throw new Error('the connection was cut')
  }
}

/**
 * Orders that a broker fills, over a log in memory: servers take over from one another, those that decide and
 * those that give orders to the broker, appends are taken only in part, and calls of the broker are lost.
 */
export class BrokerWorld extends JournalWorld {
  readonly made = new MadeBroker()
  readonly calls: FlakyCalls
  readonly faults: string[] = []
  protected readonly processor: JournalProcessor
  private readonly givers: Succession

  /** @param events how many events of the broker the log retains */
  constructor (private readonly choices: Choices, shards: number, public breaks: number, events = 100_000) {
    const channels = channelsWith(events)
    const options: JournalWorldOptions = {
      channels, shards, random: choices, failures: breaks, start: Date.parse('2026-01-05T10:00:00Z')
    }
    super(options)
    this.calls = new FlakyCalls(this.made, choices, breaks)
    this.givers = new Succession(this.log, () => 'broker', (signal, fence) => this.runSource(signal, fence))
    this.processor = brokerTrading({
      channels,
      rules: paperRules(),
      demand: { add: () => {}, remove: () => {} },
      now: () => this.now,
      onFault: (news, fault) => { this.faults.push(`${JSON.stringify(news)}: ${fault}`) }
    }) as JournalProcessor
  }

  /** Has another server give orders to the broker. @param inOrder whether the one before ends first */
  async moveSource (inOrder = true): Promise<void> {
    await this.givers.takeOver(inOrder)
  }

  override async rest (): Promise<void> {
    await this.givers.rest()
    await super.rest()
  }

  async command (user: string, data: Command): Promise<void> {
    this.now += 10
    await this.publisher.publishOne({ channel: 'commands', user, data })
  }

  pass (ms: number): void {
    this.now += ms
  }

  orders (user: string): Promise<Order[]> {
    return this.read<Order>(topicKey({ channel: 'orders', user }))
  }

  async state<Data> (channel: string, user: string): Promise<Data | undefined> {
    const state = await this.log.snapshot(topicKey({ channel, user }))
    return state === undefined ? undefined : JSON.parse(state.payload) as Data
  }

  private async runSource (signal: AbortSignal, fence: Fence): Promise<void> {
    const { calls: broker, log } = this
    await new BrokerSource({ broker, log, count: () => {}, random: () => 0.01 }).run({
      signal,
      logger: silentLogger,
      publish: async messages => {
        signal.throwIfAborted()
        if (this.choices.next() < this.breaks / 4) throw new ProtocolError('log_unavailable')
        return await this.publisher.publishOwn(messages, { fence })
      },
      declare: async () => [],
      instrument: () => undefined,
      guard: () => () => {}
    })
  }
}
