// `npm run token`: runs the command `tickwire token`, and builds it first if needed.
import { main, prepare } from './prepare.js'

await main(prepare)
process.argv.splice(2, 0, 'token')
await import(new URL('../dist/src/cli/tickwire.js', import.meta.url).href)
