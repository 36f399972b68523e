import { type ChannelDefinition, channelFault, type Channels, standardChannels } from '@tickwire/protocol'
import { ConfigError } from './config.js'
import { exchangeChannels } from './exchange.js'
import { alertJournal } from './processors/alerts/alert-processor.js'

/**
 * Adds an application's channels to the standard ones.
 * @throws ConfigError that says what is wrong with a definition
 */
export function allChannels (own: readonly ChannelDefinition[]): Channels {
  const channels = new Map([
    ...standardChannels, ...[alertJournal, ...exchangeChannels].map(made => [made.name, made] as const)
  ])
  for (const definition of own) {
    const fault = channelFault(definition)
    if (fault !== undefined) throw new ConfigError(fault)
    if (channels.has(definition.name)) {
      throw new ConfigError(`the channel '${definition.name}' exists already`)
    }
    channels.set(definition.name, definition)
  }
  return channels
}
