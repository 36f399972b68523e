// `npm start`: the server runs in this process, so that signals reach it.
import { main, prepare } from './prepare.js'

await main(prepare)
await import(new URL('../dist/src/server.js', import.meta.url).href)
