import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config.js'
import { counting, ownChannels, valuing } from './proofs.js'

/** A server that runs bars and the two proof processors; its environment is that of the command. */
const config = loadConfig(process.env)
const app = await buildApp({ ...config, UNKNOWN_SYMBOLS: 'accept', BARS: '1s' }, { channels: ownChannels, processors: [counting, valuing] })
await app.listen({ port: config.PORT, host: '127.0.0.1' })
process.once('SIGTERM', () => { void app.close() })
