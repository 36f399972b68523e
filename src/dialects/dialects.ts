import { BATCH_SUBPROTOCOL, type Channels, JSON_SUBPROTOCOL } from '@tickwire/protocol'
import type { Dialect } from './dialect.js'
import { BatchDialect } from './native/batch.js'
import type { Decimals } from './native/json-writer.js'
import { NativeDialect } from './native/native.js'

/** The registry: dialects by WebSocket subprotocol. */
const registry: ReadonlyMap<string, new (channels: Channels, decimals: Decimals) => Dialect> = new Map([
  [JSON_SUBPROTOCOL, NativeDialect],
  [BATCH_SUBPROTOCOL, BatchDialect]
])

/** The subprotocols, in the order in which errors name them. */
export const subprotocols: readonly string[] = [...registry.keys()]

/** The dialects of one server. */
export class Dialects {
  /** By subprotocol and the form of decimals. */
  private readonly dialects = new Map<string, Dialect>()

  constructor (private readonly channels: Channels) {}

  /**
   * Returns the dialect of a subprotocol, always the same object for the same arguments.
   * @param subprotocol one of {@link subprotocols}; any other text, also an empty one, counts as
   *   `tickwire.v1.json`
   */
  of (subprotocol: string, decimals: Decimals = 'string'): Dialect {
    const name = registry.has(subprotocol) ? subprotocol : JSON_SUBPROTOCOL
    const key = `${name} ${decimals}`
    let dialect = this.dialects.get(key)
    if (dialect === undefined) {
      dialect = new (registry.get(name)!)(this.channels, decimals)
      this.dialects.set(key, dialect)
    }
    return dialect
  }

  /** Returns the dialect in which each payload is one message, as event streams and polls have it. */
  native (decimals?: Decimals): Dialect {
    return this.of(JSON_SUBPROTOCOL, decimals)
  }
}
