import { test } from 'tap'
import { byMinute, judgeMemory, type Sample } from '../fleet/memory.js'

const MINUTE_MS = 60_000
const MIB = 2 ** 20

/** Makes one sample a second, in MiB by the minute of the run. */
const samplesOf = (minutes: number, mib: (minute: number) => number): Sample[] =>
  Array.from({ length: minutes * 60 }, (_, second) => ({ at: second * 1000, bytes: mib(second / 60) * MIB }))

test('judges the memory of the last minute by that around minute five', async t => {
  const judge = (mib: (minute: number) => number): boolean | undefined =>
    judgeMemory(samplesOf(30, mib), 30 * MINUTE_MS)?.holds
  t.equal(judge(() => 200), true, 'flat')
  t.equal(judge(minute => minute < 4 ? 50 : 200), true, 'the time until it is warm does not count')
  t.equal(judge(minute => 300 - minute), true, 'less is fine')
  t.equal(judge(minute => minute < 20 ? 200 : 209), true, 'within five percent')
  t.equal(judge(minute => minute < 20 ? 200 : 211), false, 'beyond five percent')
  t.equal(judge(minute => 200 + minute), false, 'a leak')
  t.equal(judgeMemory(samplesOf(9, () => 200), 9 * MINUTE_MS), undefined, 'a short run is not judged')
  t.same(
    byMinute(samplesOf(3, minute => 100 + Math.floor(minute))),
    [100, 101, 102],
    'the median of each minute'
  )
})
