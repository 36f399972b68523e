import { type ChannelDefinition } from '@tickwire/protocol'

/** A data message, as `GET /v1/history` gives it. */
export interface CsvMessage {
  readonly sequence: number
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

const END = '\r\n'
const NUMBERS = ['sequence', 'log_timestamp'] as const

/** Messages of one channel as lines of CSV (RFC 4180): a column for each field of the channel's data. */
export class CsvWriter {
  private readonly fields: readonly string[]

  constructor ({ schema }: Pick<ChannelDefinition, 'schema'>) {
    const { properties } = schema as { readonly properties?: Readonly<Record<string, unknown>> }
    this.fields = Object.keys(properties ?? {})
  }

  /** The first line. A channel whose data has no fixed fields has one column of JSON. */
  get head (): string {
    return csvLine([...NUMBERS, ...this.fields.length === 0 ? ['data'] : this.fields])
  }

  line ({ sequence, timestamp, data }: CsvMessage): string {
    const values = this.fields.length === 0 ? [data] : this.fields.map(field => data[field])
    return csvLine([sequence, timestamp, ...values])
  }
}

/** Writes values as a line of CSV (RFC 4180). */
export const csvLine = (values: readonly unknown[]): string => values.map(cell).join(',') + END

/** An absent value is an empty cell, and an object or array is JSON. */
function cell (value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
