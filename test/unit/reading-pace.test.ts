import { test } from 'tap'
import { ReadingPace } from '../../src/transports/reading-pace.js'

const LOOK_MS = 3000
/** Looks long enough at any client that may be cut. */
const LOOKS = 1000

/**
 * Returns after how many milliseconds a client is cut; undefined: never.
 * @param takes what it takes until each look, in bytes; undefined if there was nothing more to take
 */
function cutAfter (takes: (look: number) => number | undefined): number | undefined {
  const pace = new ReadingPace(0)
  let taken = 0
  for (let look = 1; look <= LOOKS; look++) {
    const bytes = takes(look)
    taken += bytes ?? 0
    const now = look * LOOK_MS
    if (pace.isTooSlow({ now, taken, isUnread: bytes !== undefined })) return now
  }
  return undefined
}

test('cuts a client that reads nothing for longer than the patience, however fast it was before', t => {
  t.equal(cutAfter(() => 0), 33_000)
  t.equal(cutAfter(look => look <= 10 ? 100_000_000 : 0), 63_000)
  t.end()
})

test('cuts a client that drips, though it always makes progress', t => {
  t.equal(cutAfter(() => 1), 33_000)
  t.equal(cutAfter(() => 3 * 2048), 63_000)
  t.end()
})

test('waits for a client that reads slowly and steadily, or in lumps', t => {
  t.equal(cutAfter(() => 3 * 4096), undefined)
  t.equal(cutAfter(look => look % 9 === 0 ? 27 * 4096 : 0), undefined)
  t.end()
})

test('waits as long as the server has nothing more to send', t => {
  t.equal(cutAfter(() => undefined), undefined)
  t.equal(cutAfter(look => look <= 900 ? undefined : 0), 900 * LOOK_MS + 33_000)
  t.end()
})
