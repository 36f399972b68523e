import { BATCH_SUBPROTOCOL, type Channels, JSON_SUBPROTOCOL } from '@tickwire/protocol'
import type { Dialect } from './dialect.js'
import { BatchDialect } from './native/batch.js'
import { type Decimals, JsonWriter } from './native/json-writer.js'
import { NativeDialect } from './native/native.js'

type MakeDialect = (dialects: Dialects, decimals: Decimals) => Dialect

/** The registry: how to make the dialect of each WebSocket subprotocol. */
const registry: ReadonlyMap<string, MakeDialect> = new Map<string, MakeDialect>([
  [JSON_SUBPROTOCOL, (dialects, decimals) => new NativeDialect(dialects.jsonWriter(decimals))],
  [BATCH_SUBPROTOCOL, (dialects, decimals) => new BatchDialect(dialects.jsonWriter(decimals))]
])

/** The subprotocols, in the order in which errors name them. */
export const subprotocols: readonly string[] = [...registry.keys()]

/** The dialects of one server. */
export class Dialects {
  /** By subprotocol and the form of decimals. */
  private readonly dialects = new Map<string, Dialect>()
  private readonly jsonWriters = new Map<Decimals, JsonWriter>()

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
      dialect = registry.get(name)!(this, decimals)
      this.dialects.set(key, dialect)
    }
    return dialect
  }

  /** Returns the one writer of JSON with a form of decimals: it keeps a part of each topic's messages. */
  jsonWriter (decimals: Decimals): JsonWriter {
    let writer = this.jsonWriters.get(decimals)
    if (writer === undefined) {
      writer = new JsonWriter(this.channels, decimals)
      this.jsonWriters.set(decimals, writer)
    }
    return writer
  }

  /** Returns the dialect in which each payload is one message, as event streams and polls have it. */
  native (decimals?: Decimals): Dialect {
    return this.of(JSON_SUBPROTOCOL, decimals)
  }
}
