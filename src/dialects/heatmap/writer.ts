import type { ControlMessage, Heatmap } from '@tickwire/protocol'
import type { MessageWriter, OutgoingMessage, Written } from '../../hub/format.js'
import { isoTime } from '../../hub/iso-time.js'
import type { KeptTexts } from '../kept-texts.js'

/** What a writer needs of its connection. */
export interface HeatmapWriterOptions {
  /** What follows the symbol in a `snapshot`. */
  readonly snapshots: KeptTexts
  /** Returns the symbols under which the client wants a topic of the log, as it spelled them. */
  spelled (topic: string): readonly string[]
  onSnapshots (count: number): void
  /** Called when the client does not read what it is sent. */
  onSlow (): void
}

const SILENT: Written = ''
const SLOW = 'Your connection is slow. Consider reducing subscriptions or update frequency.'

/** Returns what follows the symbol in a `snapshot` (docs/compat.md). */
export function snapshotBody (payload: string): string {
  const { as_of: time, levels, current_price: price, ...counts } = JSON.parse(payload) as Heatmap
  const { positions_created: created, positions_consumed: consumed } = counts
  const rows = levels.map(([price, long, short]) =>
    `{"price":${price},"long_density":${long},"short_density":${short}}`)
  const positions = (created === undefined ? '' : `,"positions_created":${created}`) +
    (consumed === undefined ? '' : `,"positions_consumed":${consumed}`)
  const data = `{"levels":[${rows.join(',')}],"current_price":${price}${positions}}`
  return `"timestamp":${JSON.stringify(time)},"data":${data}}`
}

export const invalidSymbol = (symbol: string, valid: string): Written => errorText(
  'INVALID_SYMBOL', `Symbol '${symbol}' not supported. Valid: ${valid}`
)

/** @param code in the spelling of the original server: capital letters */
export const errorText = (code: string, message: string): Written =>
  JSON.stringify({ type: 'error', code: code.toUpperCase(), message })

export const pong = (now: number): Written => JSON.stringify({ type: 'pong', timestamp: isoTime(now) })

/** Writes what a client of `/ws/heatmap` reads, of all that happens to its connection (docs/compat.md). */
export class HeatmapWriter implements MessageWriter {
  constructor (private readonly options: HeatmapWriterOptions) {}

  data ({ topic, payload, timestamp }: OutgoingMessage): Written {
    const { spelled, snapshots, onSnapshots } = this.options
    const names = spelled(topic)
    const body = names.length === 0 ? undefined : snapshots.of(topic, payload, timestamp)
    if (body === undefined) return SILENT
    onSnapshots(names.length)
    return names.map(name => `{"type":"snapshot","symbol":${JSON.stringify(name)},${body}`).join('\n')
  }

  /** A snapshot follows. */
  reset (): Written {
    return SILENT
  }

  control (message: ControlMessage): Written {
    switch (message.type) {
      case 'error': return errorText(message.code, message.message)
      case 'closing': return errorText(message.code, message.reason)
      case 'lagging': return this.lagging(message.behind)
      default: return SILENT
    }
  }

  private lagging (behind: number): Written {
    if (behind === 0) return SILENT
    this.options.onSlow()
    const warning = { type: 'warning', code: 'SLOW_CONSUMER', message: SLOW, dropped_messages: behind }
    return JSON.stringify(warning)
  }
}
