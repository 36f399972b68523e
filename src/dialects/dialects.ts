import { BATCH_SUBPROTOCOL, type Channels, JSON_SUBPROTOCOL } from '@tickwire/protocol'
import type { Dialect } from './dialect.js'
import { BatchDialect } from './native/batch.js'
import type { Decimals } from './native/json-writer.js'
import { NativeDialect } from './native/native.js'

/** The registry: by WebSocket subprotocol, the dialect that is spoken. */
const registry: ReadonlyMap<string, new (channels: Channels, decimals: Decimals) => Dialect> = new Map([
  [JSON_SUBPROTOCOL, NativeDialect],
  [BATCH_SUBPROTOCOL, BatchDialect]
])

/** In the order in which errors name them. */
export const subprotocols: readonly string[] = [...registry.keys()]

/** The dialects of one server. */
export class Dialects {
  /** By subprotocol and how decimals are written. */
  private readonly dialects = new Map<string, Dialect>()

  constructor (private readonly channels: Channels) {}

  /** @param subprotocol one of {@link subprotocols}; messages one by one where it is none, or where none was named */
  of (subprotocol: string, decimals: Decimals = 'string'): Dialect {
    const name = registry.has(subprotocol) ? subprotocol : JSON_SUBPROTOCOL
    const key = `${name} ${decimals}`
    let dialect = this.dialects.get(key)
    if (dialect === undefined) this.dialects.set(key, dialect = new (registry.get(name)!)(this.channels, decimals))
    return dialect
  }

  /** Messages one by one, as event streams and polls have them. */
  native (decimals?: Decimals): Dialect {
    return this.of(JSON_SUBPROTOCOL, decimals)
  }
}
