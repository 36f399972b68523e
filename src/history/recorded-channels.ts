import { type ChannelAccess, type Channels, isServed } from '@tickwire/protocol'
import { ConfigError } from '../config.js'

/** What a user's own topics say, and what operators see, is not for a recording that many read. */
const PERSONAL: ReadonlySet<ChannelAccess> = new Set(['user', 'admin'])

/** Names of `RECORD` that stand for several channels, by how the names of these begin. */
const GROUPS: Readonly<Record<string, string>> = { bars: 'bars.' }

/**
 * Reads `RECORD`: channels that the recorder writes to the store.
 * @throws ConfigError that says what is allowed
 */
export function recordedChannels (text: string, channels: Channels): ReadonlySet<string> {
  const recordable = [...channels.values()]
    .filter(channel => isServed(channel) && !PERSONAL.has(channel.access))
  const names = recordable.map(({ name }) => name)
  const groups = Object.entries(GROUPS).filter(([, prefix]) => names.some(name => name.startsWith(prefix)))
  const allowed = [...groups.map(([group]) => group), ...names].join(', ')
  const recorded = text.split(',').flatMap(part => {
    const name = part.trim()
    if (names.includes(name)) return [name]
    const prefix = Object.hasOwn(GROUPS, name) ? GROUPS[name]! : undefined
    const members = prefix === undefined ? [] : names.filter(other => other.startsWith(prefix))
    if (members.length > 0) return members
    throw new ConfigError(`RECORD: '${name}' is no channel that can be recorded; these can: ${allowed}`)
  })
  return new Set(recorded)
}
