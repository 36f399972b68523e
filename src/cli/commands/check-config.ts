import { standardChannels } from '@tickwire/protocol'
import { readPublicKey } from '../../auth/public-key.js'
import { ConfigError, ConfigSchema, isConfidential, loadConfig } from '../../config.js'
import { recordedChannels } from '../../history/recorded-channels.js'
import { readInstruments } from '../../instruments/file.js'
import { checkRedis } from '../../log/redis/setup.js'
import { LogSetupError } from '../../log/setup-error.js'
import { environmentNotices, settingNotices } from '../../notices.js'
import { parseFeeds } from '../../sources/news/feeds.js'
import { parseSources } from '../../sources/registry.js'
import { coordinationCommands } from '../../coordination/redis/keys.js'
import { paperRules } from '../../paper-rules.js'
import { openSigning } from '../../signing/open-signing.js'
import { keyPairFiles, readKeyPair } from '../../tls.js'
import { workersOf } from '../../workers/settings.js'
import { type Command, CommandError } from '../command.js'

export const checkConfig: Command = {
  name: 'check-config',
  summary: 'Prints the configuration that a server would start with, or what is wrong with it, ' +
    'its certificate, its instruments or its Redis; warns of probable mistakes.',
  usage: '',
  options: {},
  examples: ['tickwire check-config', 'NODE_ENV=production JWT_SECRET=… tickwire check-config'],

  async run ({ env }) {
    try {
      const config = loadConfig(env)
      workersOf(config)
      parseSources(config.SOURCES)
      if (config.NEWS_FEEDS !== undefined) parseFeeds(config.NEWS_FEEDS)
      if (config.RECORD !== undefined) recordedChannels(config.RECORD, standardChannels)
      if (config.INSTRUMENTS !== undefined) await readInstruments(config.INSTRUMENTS)
      if (config.JWT_PUBLIC_KEY !== undefined) readPublicKey(config.JWT_PUBLIC_KEY)
      openSigning(config)
      paperRules(config)
      const files = keyPairFiles(config)
      if (files !== undefined) await readKeyPair(files)
      const { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix, LOG_SHARDS: shards } = config
      if (url !== undefined) {
        await checkRedis({ url, keyPrefix, shards, alsoRun: coordinationCommands(keyPrefix) })
      }
      const rows = Object.keys(ConfigSchema.properties).map(name => {
        const value = (config as Record<string, unknown>)[name]
        const given = env[name] !== undefined && env[name] !== ''
        const shown = value === undefined ? '(not set)' : isConfidential(name) ? '(set)' : String(value)
        return [name, shown, given ? 'environment' : 'default'] as const
      })
      const width = (column: 0 | 1): number => Math.max(...rows.map(row => row[column].length))
      for (const [name, value, source] of rows) {
        console.log(`${name.padEnd(width(0))}  ${value.padEnd(width(1))}  ${source}`)
      }
      for (const notice of [...settingNotices(config), ...environmentNotices(env, config)]) {
        console.error(`tickwire: ${notice}`)
      }
      return 0
    } catch (error) {
      if (error instanceof ConfigError || error instanceof LogSetupError) {
        throw new CommandError(error.message)
      }
      throw error
    }
  }
}
