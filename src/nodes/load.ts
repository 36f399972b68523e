import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Counters } from '../metrics/counters.js'
import type { NodeRecord } from './schema.js'

/** How often the event loop's delay is sampled. Each measured delay includes this time. */
const RESOLUTION_MS = 20

/** Measures what a node does. */
export class LoadMeter {
  private readonly delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  private at = performance.now()
  private cpu = process.cpuUsage()
  private sent = 0
  private received = 0
  private latest: NodeRecord['load']

  constructor (private readonly counters: Counters, private readonly connections: () => number) {
    this.delays.enable()
    this.latest = {
      connections: 0,
      messages_per_second: 0,
      received_per_second: 0,
      cpu: 0,
      memory_bytes: process.memoryUsage.rss(),
      event_loop_delay_ms: 0
    }
  }

  /** Measures the load since the last measurement. */
  measure (): NodeRecord['load'] {
    const now = performance.now()
    const seconds = (now - this.at) / 1000
    const { user, system } = process.cpuUsage(this.cpu)
    let sent = 0
    for (const [, { messages }] of this.counters.all()) sent += messages
    const { received } = this.counters
    this.latest = {
      connections: this.connections(),
      messages_per_second: round((sent - this.sent) / seconds),
      received_per_second: round((received - this.received) / seconds),
      cpu: round((user + system) / 1e6 / seconds),
      memory_bytes: process.memoryUsage.rss(),
      event_loop_delay_ms: round(Math.max(0, this.delays.percentile(99) / 1e6 - RESOLUTION_MS))
    }
    this.at = now
    this.cpu = process.cpuUsage()
    this.sent = sent
    this.received = received
    this.delays.reset()
    return this.latest
  }

  /** The last measurement, with the current number of connections. */
  get last (): NodeRecord['load'] {
    return { ...this.latest, connections: this.connections() }
  }

  close (): void {
    this.delays.disable()
  }
}

const round = (value: number): number => Number.isFinite(value) ? Math.round(value * 100) / 100 : 0
