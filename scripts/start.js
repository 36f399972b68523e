// `npm start`: runs the server in this process, so that signals reach it.
import { main, prepare } from './prepare.js'

await main(prepare)
process.argv.splice(2, 0, 'start')
await import(new URL('../dist/src/cli/tickwire.js', import.meta.url).href)
