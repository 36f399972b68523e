import type { ControlMessage, ResetReason } from '@tickwire/protocol'

/** A data message as the hub hands it to a format. An entry of the log is one as it stands. */
export interface OutgoingMessage {
  /** The topic's key. */
  readonly topic: string
  readonly sequence: number
  /** When the log accepted the message, in milliseconds since 1970. */
  readonly timestamp: number
  /** Whether the message replaces the topic's state. */
  readonly replaces: boolean
  /** The data as JSON text. */
  readonly payload: string
  /**
   * The sequence before the first of joined messages (PROTOCOL.md, Data). Undefined if it is `sequence` - 1.
   */
  readonly prev?: number | undefined
}

/** A message in the form of its dialect. */
export type Written = string

/**
 * Writes messages one by one. The data of a channel may contain what a dialect cannot write: such a message
 * must not take the others of its window with it.
 */
export interface MessageWriter {
  /** @throws if the data cannot be written */
  data (message: OutgoingMessage): Written
  reset (topic: string, reason: ResetReason): Written
  control (message: ControlMessage): Written
}

/**
 * A dialect on a wire: all that the hub and a connection know of how messages look. The hub writes each
 * window of a topic once per format, and gives the same buffer to everybody who reads that format.
 */
export interface Format extends MessageWriter {
  /** Puts written messages, in order, into one buffer that can be sent as it is. */
  join (messages: readonly Written[]): Buffer
  /** The commit mark: all that came before it has been sent. */
  cursor (cursor: string): Buffer
}
