import type { SourceMessage } from '../source.js'
import type { Connection } from './connection.js'
import type { RestAnswer } from './rest.js'

/** What comes from a venue, in the order in which it came. */
export type Arrival = Frame | Answer | Opened | Lost

/** What reads the arrivals of one connection, and of the one that replaces it. */
export interface ArrivalReader {
  /** @returns what is to be published */
  read (arrival: Arrival): readonly SourceMessage[]
}

export interface Frame {
  readonly kind: 'frame'
  readonly line: ArrivalReader
  readonly connection: Connection
  readonly text: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Answer {
  readonly kind: 'answer'
  readonly line: ArrivalReader
  readonly answer: RestAnswer
  /** The book for whose snapshot the answer was asked; undefined for an answer about something else. */
  readonly symbol: string | undefined
  /** How many losses the line had read when it was asked for. */
  readonly losses: number
}

interface Opened {
  readonly kind: 'opened'
  readonly line: ArrivalReader
}

export interface Lost {
  readonly kind: 'lost'
  readonly line: ArrivalReader
  readonly connection: Connection
  readonly detail: string
}
