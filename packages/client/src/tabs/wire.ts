import { isSet, type Message, type Reset } from '../channels.js'
import type { End, ServerMessage, SharedState } from '../transports/transport.js'

/**
 * A place in what a leader has told: a cursor of the server, and the number of that cursor. Numbers grow
 * within the term of one leader, and a later leader has a greater term.
 */
export interface Position {
  readonly term: number
  readonly number: number
  readonly cursor: string
}

/** A cursor as a leader tells it; its time is the server's. */
export interface CursorItem {
  readonly type: 'heartbeat'
  readonly cursor: string
  readonly number: number
  readonly timestamp: string
}

export interface EpochItem {
  readonly type: 'epoch'
  readonly epoch: string
}

/** What a leader tells all tabs. */
export type Item = Message | Reset | CursorItem | EpochItem

export interface SubscribeAction {
  readonly action: 'subscribe' | 'snapshot'
  readonly id?: number
  readonly channel: string
  readonly symbols?: readonly string[]
  readonly throttle_ms?: number
  readonly depth?: number
  readonly last?: number
  /** Present: the tab resumes what it subscribes to from its position. */
  readonly after?: string
}

export interface UnsubscribeAction {
  readonly action: 'unsubscribe'
  readonly channel: string
  readonly symbols?: readonly string[]
}

export type DistributiveOmit<Union, Keys extends PropertyKey> =
  Union extends unknown ? Omit<Union, Keys> : never

/** What tabs say to their leader. `link` names one connection of a tab to it. */
export type FromTab = { readonly to: 'leader', readonly tab: string, readonly link: string } & (
  | { readonly kind: 'join', readonly position: Position | undefined }
  | { readonly kind: 'act', readonly action: SubscribeAction | UnsubscribeAction }
  | { readonly kind: 'ping' }
  | { readonly kind: 'leave' }
)

/** What a leader says to tabs. */
export type FromLeader = { readonly to: 'tabs', readonly term: number } & (
  /** A leader begins; all tabs join it. */
  | { readonly kind: 'lead' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'tell', readonly items: readonly Item[] }
  /** For one tab. */
  | { readonly kind: 'give', readonly link: string, readonly messages: readonly ServerMessage[] }
  | { readonly kind: 'state', readonly name: SharedState, readonly reason: string | undefined }
  /** The server refuses the connection for good. */
  | { readonly kind: 'end', readonly end: End }
)

/** Returns a negative number if one place is behind another. */
export const comparePositions = (one: Position, other: Position): number =>
  one.term - other.term || one.number - other.number

/** Whether a selector of a channel covers a topic, as far as the selector alone says it. */
export const covers = (selector: string | undefined, symbol: string | undefined): boolean =>
  selector === symbol || isSet(selector)
