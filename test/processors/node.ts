import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config.js'
import { counting, ownChannels, valuing } from './proofs.js'

/** A server that runs the two proof processors: what its environment says of it, as the command has it. */
const config = loadConfig(process.env)
const app = await buildApp({ ...config, UNKNOWN_SYMBOLS: 'accept' }, { channels: ownChannels, processors: [counting, valuing] })
await app.listen({ port: config.PORT, host: '127.0.0.1' })
process.once('SIGTERM', () => { void app.close() })
