import { openStore, type StoreSettings } from '../../src/store/open-store.js'
import { states } from '../contract/stores.js'

/**
 * A process that writes rows for as long as it lives, and prints how many are flushed: `store-process.js
 * <settings>`
 */
const settings = JSON.parse(process.argv[2]!) as StoreSettings
const store = await openStore(settings, { isShared: false, log: () => {} })
const STEP = 500
for (let count = STEP; ; count += STEP) {
  store.write('states', states(count).slice(-STEP))
  if (await store.flush()) process.stdout.write(`${count}\n`)
}
