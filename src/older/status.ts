import { Connection } from '../connection/connection.js'
import type { Addressable } from '../connection/registry.js'

/** The most users, and the most pairs of a topic and a user, that a status lists. */
const MAX_LISTED = 10_000

/** The answer of `GET /api/ws/status` (docs/compat.md). */
export interface Status {
  readonly active_connections: number
  readonly active_users: readonly string[]
  readonly subscriptions: Readonly<Record<string, readonly string[]>>
  readonly price_streamer_running: boolean
  /** Whether there is more than is listed. */
  readonly truncated?: true
}

/**
 * Lists who is connected to this server, and who subscribes to what.
 * @param members the connections and held polls
 * @param topicsOf returns what a connection subscribes to, in the words of its client
 */
export function listUsers (
  members: Iterable<Addressable>, topicsOf: (connection: Connection) => Iterable<string>
): Pick<Status, 'active_users' | 'subscriptions' | 'truncated'> {
  const users = new Set<string>()
  const topics = new Map<string, Set<string>>()
  let listed = 0
  const end = (truncated: boolean): ReturnType<typeof listUsers> => ({
    active_users: [...users],
    subscriptions: Object.fromEntries(Array.from(topics, ([topic, users]) => [topic, [...users]])),
    ...(truncated ? { truncated } : {})
  })
  for (const member of members) {
    const { user } = member.identity
    if (user !== undefined) users.add(user)
    if (users.size === MAX_LISTED) return end(true)
    if (!(member instanceof Connection)) continue
    for (const topic of topicsOf(member)) {
      if (listed++ === MAX_LISTED) return end(true)
      let subscribers = topics.get(topic)
      if (subscribers === undefined) topics.set(topic, subscribers = new Set())
      if (user !== undefined) subscribers.add(user)
    }
  }
  return end(false)
}

/** Returns what a connection of `/v1/stream` subscribes to. */
export function nativeTopics ({ subscriptions }: Connection): string[] {
  return Array.from(subscriptions.selectors(), ({ channel: { name }, symbol }) =>
    symbol === undefined ? name : `${name}:${symbol}`)
}
